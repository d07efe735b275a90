"""The house's own certificate authority (X.509, RFC 5280): who signs a report has a certificate in their name.

    authority.pem          the authority's key and certificate, made when first wanted
    <practitioner>.pem     a practitioner's key and certificate, made at their first signature

All files are PEM, readable by the server alone. Keys are ECDSA on P-256. Nothing is ever fetched: there are no revocation lists.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from asn1crypto.x509 import Name
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import NameOID

from consult.practitioners.model import Institution, Person
from telemed.kernel.database import new_id
from telemed.kernel.errors import Invalid

#: An inpatient's report is kept for thirty years; the authority outlives it.
AUTHORITY_LIVES = timedelta(days=40 * 365)
#: Of a practitioner's certificate; the next one is made when a tenth of it is left.
CERTIFICATE_LIVES = timedelta(days=3 * 365)
RENEWED_BEFORE = CERTIFICATE_LIVES / 10
#: Clocks differ: a certificate counts from a little before it was made.
BEFORE = timedelta(hours=1)
#: RFC 5280, ub-common-name and ub-organization-name; counted in bytes of UTF-8, as OpenSSL and its like do.
LONGEST_NAME = 64
#: Stands for a character that a certificate's name cannot carry, as it does for a missing one in print.
GETA = "〓"

AUTHORITY = "authority.pem"
_FILE = re.compile(r"(authority|[0-9a-f]{32})\.pem")


@dataclass(frozen=True)
class Credential:
    """A key with its certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> bytes:
        """Return both as they are kept."""
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return key + self.certificate.public_bytes(Encoding.PEM)


class Authority:
    """Issues a certificate to each practitioner who signs."""

    def __init__(self, folder: Path) -> None:
        """Keep keys and certificates in *folder*."""
        self._folder = folder

    def found(self) -> x509.Certificate | None:
        """Return the authority's certificate; None when it was never needed, or is lost."""
        kept = self._read(AUTHORITY)
        return None if kept is None else kept.certificate

    def certificate(self, at: datetime) -> x509.Certificate:
        """Return the authority's certificate, made on *at* when there is none yet."""
        return self._authority(at).certificate

    def credential(self, person: Person, institution: Institution, at: datetime) -> tuple[Credential, x509.Certificate]:
        """Return what *person* of *institution* signs with on *at*, and the authority's certificate.

        A new key and certificate are made for the first signature, a new name and when the present one ends soon.
        """
        authority = self._authority(at)
        subject, file = _subject(person, institution), f"{person.id}.pem"
        kept = self._read(file)
        if kept is None or not _serves(kept, authority, subject, at):
            kept = _issued(subject, authority, at)
            self._write(file, kept.pem)
        return kept, authority.certificate

    def files(self) -> dict[str, bytes]:
        """Return every file by its name: secrets, for a backup."""
        return {file.name: file.read_bytes() for file in sorted(self._folder.glob("*.pem"))}

    def restore(self, name: str, content: bytes) -> None:
        """Put one of `files` back; Invalid when it is none."""
        if not _FILE.fullmatch(name):
            raise Invalid(f"{name} is no key of an authority")
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _loaded(name, content)
        self._write(name, content)

    def _authority(self, at: datetime) -> Credential:
        found = self._read(AUTHORITY)
        if found is not None:
            return found
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._write(AUTHORITY, _self_signed(at).pem, over=False)
        made = self._read(AUTHORITY)
        assert made is not None
        return made

    def _read(self, name: str) -> Credential | None:
        try:
            return _loaded(name, (self._folder / name).read_bytes())
        except FileNotFoundError:
            return None

    def _write(self, name: str, content: bytes, *, over: bool = True) -> None:
        """Write durably; unless *over*, a file that another process made meanwhile stays."""
        partial = self._folder / f"{new_id()}.part"
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if over:
            partial.replace(self._folder / name)
        else:
            with suppress(FileExistsError):
                os.link(partial, self._folder / name)
            partial.unlink()
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _loaded(name: str, content: bytes) -> Credential:
    try:
        key, certificate = load_pem_private_key(content, None), x509.load_pem_x509_certificate(content)
    except (ValueError, TypeError) as error:
        raise Invalid(f"{name} of the authority is damaged: restore it from a backup", code="authority") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise Invalid(f"{name} of the authority holds a key that is not its certificate's: restore it", code="authority")
    return Credential(key, certificate)


def _serves(kept: Credential, authority: Credential, subject: x509.Name, at: datetime) -> bool:
    certificate = kept.certificate
    return (
        certificate.subject == subject
        and certificate.issuer == authority.certificate.subject
        and certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc - RENEWED_BEFORE
    )


def _subject(person: Person, institution: Institution) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, _comparable(institution.name) or institution.id),
            x509.NameAttribute(NameOID.COMMON_NAME, _comparable(person.name) or person.id),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, person.id),
        ]
    )


def _comparable(name: str) -> str:
    """Return *name* as X.509 can compare it (RFC 4518 knows Unicode 3.2): rarer characters replaced, or nothing left."""
    said = "".join(character if _is_prepared(character) else GETA for character in name)
    cut = said.encode()[:LONGEST_NAME].decode(errors="ignore")
    return cut if _is_prepared(cut) else ""


def _is_prepared(text: str) -> bool:
    try:
        Name.build({"common_name": text}).hashable  # noqa: B018 - the property is the check
    except ValueError:
        return False
    return bool(text.strip())


def _self_signed(at: datetime) -> Credential:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"telemed {new_id()[:8]}")])
    made = (
        _begun(name, name, key, at, AUTHORITY_LIVES)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
    )
    return Credential(key, made.sign(key, SHA256()))


def _issued(subject: x509.Name, authority: Credential, at: datetime) -> Credential:
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    made = (
        _begun(subject, authority.certificate.subject, key, at, CERTIFICATE_LIVES)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(issuer, critical=False)
    )
    return Credential(key, made.sign(authority.key, SHA256()))


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, at: datetime, lives: timedelta
) -> x509.CertificateBuilder:
    public = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - BEFORE)
        .not_valid_after(at + lives)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """Say what a key is for; a document is signed with content commitment (non-repudiation)."""
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=not signs_certificates,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
