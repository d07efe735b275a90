"""A key with its certificate and the certificates above it: made here, or issued by a hospital's own authority."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key, pkcs12

from telemed.kernel.errors import Invalid

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Credential:
    """What somebody signs with; *chain* leads from the certificate upwards, the root may be left out."""

    key: Key
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def pem(self) -> bytes:
        """Return all of it as it is kept."""
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return key + b"".join(one.public_bytes(Encoding.PEM) for one in (self.certificate, *self.chain))


def credential_of(content: bytes, password: str = "") -> Credential:
    """Understand a PEM file, the certificate first, or a PKCS#12 file; ValueError or TypeError when it is neither, or locked."""
    key: object
    if b"-----BEGIN" in content:
        key = load_pem_private_key(content, password.encode() or None)
        certificate, *chain = x509.load_pem_x509_certificates(content)
    else:
        held = pkcs12.load_pkcs12(content, password.encode() or None)
        if held.cert is None:
            raise ValueError("it holds no certificate")
        key, certificate, chain = held.key, held.cert.certificate, [one.certificate for one in held.additional_certs]
    if not isinstance(key, Key):
        raise ValueError("its key is neither of RSA nor of an elliptic curve")  # noqa: TRY004 - a file's fault, not a caller's
    if key.public_key() != certificate.public_key():
        raise ValueError("its key is not its certificate's")
    return Credential(key, certificate, tuple(chain))


def check_issued(credential: Credential, trusted: Sequence[x509.Certificate], at: datetime) -> None:
    """Raise Invalid unless a trusted authority stands above *credential*, which is valid *at*, and lets it sign documents."""
    from pyhanko_certvalidator import CertificateValidator, ValidationContext  # noqa: PLC0415 - half a second of imports
    from pyhanko_certvalidator.errors import PathError, ValidationError  # noqa: PLC0415 - see above

    context = ValidationContext(trust_roots=list(map(as_asn1, trusted)), moment=at, allow_fetching=False)
    validator = CertificateValidator(as_asn1(credential.certificate), list(map(as_asn1, credential.chain)), context)
    try:
        asyncio.run(validator.async_validate_usage({"non_repudiation"}))
    except (PathError, ValidationError) as error:
        raise Invalid(f"this certificate cannot be signed with: {error}", code="certificate") from error


def as_asn1(certificate: x509.Certificate) -> asn1.Certificate:
    """Return *certificate* as pyHanko takes it."""
    return asn1.Certificate.load(certificate.public_bytes(Encoding.DER))
