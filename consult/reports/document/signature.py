"""The signature in a PDF: PAdES B-B (ETSI EN 319 142-1), a CMS signature over every byte of the file; B-T with a time stamp.

It certifies the document: no change is permitted behind it (DocMDP, ISO 32000-1, 12.8.2.2), so nothing may ever be appended.
The dictionary's /Reason names the digest of the report's content, which ties the file to the rows it was made of.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from asn1crypto import keys
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import Certificate

from consult.reports.document.authority import Authority
from consult.reports.document.credential import as_asn1
from consult.reports.model import Report
from telemed.kernel.errors import Unavailable

#: The signature field's name.
FIELD = "Signature"
#: How long a time-stamping authority has for its answer, and how far its clock may be from ours.
TIME_STAMP_S = 5
CLOCKS_DIFFER = timedelta(minutes=5)


class Signatory:
    """Signs a report's pages in the name of who signs the report."""

    def __init__(self, authority: Authority) -> None:
        """Take certificates, and where the time is stamped, from *authority*."""
        self._authority = authority

    def sign(self, pdf: bytes, report: Report) -> bytes:
        """Return *pdf* with the signature of the report's signer.

        Unavailable when the time cannot be stamped, or not by a trusted authority; Invalid as `Authority.credential`.
        """
        from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter  # noqa: PLC0415 - half a second of imports
        from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter  # noqa: PLC0415 - see above
        from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner, SimpleSigner  # noqa: PLC0415 - see above
        from pyhanko.sign.timestamps import HTTPTimeStamper, TimestampRequestError  # noqa: PLC0415 - see above
        from pyhanko_certvalidator.registry import SimpleCertificateStore  # noqa: PLC0415 - see above

        credential = self._authority.credential(report.signed_by, report.performer, report.signed_at)
        chain = SimpleCertificateStore()
        for one in credential.chain:
            chain.register(as_asn1(one))
        key = credential.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        signer = SimpleSigner(
            signing_cert=as_asn1(credential.certificate),
            signing_key=keys.PrivateKeyInfo.load(key),
            cert_registry=chain,
        )
        described = PdfSignatureMetadata(
            field_name=FIELD,
            md_algorithm="sha256",
            name=report.signed_by.name,
            location=report.performer.name,
            reason=_reason(report.content_sha256),
            subfilter=SigSeedSubFilter.PADES,
            certify=True,
            docmdp_permissions=MDPPerm.NO_CHANGES,
        )
        url = self._authority.timestamp_url
        stamper = HTTPTimeStamper(url, timeout=TIME_STAMP_S) if url else None
        try:
            signed = PdfSigner(described, signer, timestamper=stamper).sign_pdf(IncrementalPdfFileWriter(io.BytesIO(pdf)))
        except (TimestampRequestError, OSError) as error:
            raise Unavailable(f"the time cannot be stamped at {url} ({error}): try again", code="time-stamp") from error
        content: bytes = signed.getvalue()
        if url and (fault := fault_of(content, report.content_sha256, self._authority.trusted(), report.signed_at)):
            raise Unavailable(f"the time stamp of {url} is of no use: {fault}", code="time-stamp")
        return content


def fault_of(pdf: bytes, content_sha256: str, trusted: Sequence[Certificate], at: datetime) -> str | None:
    """Say what is wrong with the signature of *pdf*, made on *at* over content of that digest; None when nothing is.

    Only what the *trusted* authorities certified is believed, the time stamp where there is one, too. Nothing is fetched.
    """
    from pyhanko.pdf_utils.reader import PdfFileReader  # noqa: PLC0415 - half a second of imports
    from pyhanko.sign.validation import validate_pdf_signature  # noqa: PLC0415 - see above
    from pyhanko_certvalidator import ValidationContext  # noqa: PLC0415 - see above

    # pyHanko logs what it finds with a traceback; it is said in one sentence here.
    logging.getLogger("pyhanko").setLevel(logging.CRITICAL)
    logging.getLogger("pyhanko_certvalidator").setLevel(logging.CRITICAL)
    context = ValidationContext(trust_roots=list(map(as_asn1, trusted)), moment=at, allow_fetching=False)
    try:
        signatures = PdfFileReader(io.BytesIO(pdf)).embedded_signatures
        if len(signatures) != 1:
            return f"it holds {len(signatures)} signatures instead of one"
        status = validate_pdf_signature(signatures[0], context)
        said = signatures[0].sig_object.get("/Reason")
    except Exception as error:  # noqa: BLE001 - a damaged file raises whatever its parser stumbles over
        return f"its signature cannot be read ({type(error).__name__})"
    if not status.bottom_line:
        return f"its signature does not hold ({status.summary()})"
    stamped = status.timestamp_validity
    if stamped is not None and abs(stamped.timestamp - at) > CLOCKS_DIFFER:
        return f"its time stamp says {stamped.timestamp:%Y-%m-%d %H:%M:%S} UTC"
    return None if said == _reason(content_sha256) else "it was signed over another content"


def _reason(content_sha256: str) -> str:
    return f"内容摘要 SHA-256 {content_sha256}"
