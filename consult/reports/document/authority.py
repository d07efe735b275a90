"""The house's own certificate authority (X.509, RFC 5280): who signs a report has a certificate in their name.

    authority.pem              the authority's key and certificate, made when first wanted
    <practitioner>.pem         a practitioner's key and certificate, made at their first signature
    <practitioner>.issued.pem  the same from an authority of the hospital's own, with its chain: signed with instead
    trusted.pem                the certificates of other authorities that signatures and time stamps are believed of

All files are PEM, readable by the server alone. Keys made here are ECDSA on P-256. Nothing is ever fetched: there are no
revocation lists.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from asn1crypto.x509 import Name
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from consult.practitioners.model import Institution, Person
from consult.reports.document.credential import Credential, check_issued, credential_of
from telemed.kernel.database import new_id
from telemed.kernel.errors import Invalid, NotFound

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

AUTHORITY, TRUSTED = "authority.pem", "trusted.pem"
_FILE = re.compile(r"(authority|trusted|[0-9a-f]{32}(\.issued)?)\.pem")
#: Of authorities other than the house's own; as many as fit into what a backup takes for one file.
MOST_TRUSTED = 16


class Authority:
    """Issues a certificate to each practitioner who signs, or keeps the one that the hospital's own authority has issued."""

    def __init__(self, folder: Path, *, timestamp_url: str = "") -> None:
        """Keep keys and certificates in *folder*; signatures are stamped with the time at *timestamp_url* (RFC 3161)."""
        self._folder = folder
        self.timestamp_url = timestamp_url

    def found(self) -> x509.Certificate | None:
        """Return the authority's certificate; None when it was never needed, or is lost."""
        kept = self._read(AUTHORITY)
        return None if kept is None else kept.certificate

    def certificate(self, at: datetime) -> x509.Certificate:
        """Return the authority's certificate, made on *at* when there is none yet."""
        return self._authority(at).certificate

    def trusted(self) -> list[x509.Certificate]:
        """Return the certificates of all authorities that are believed: the house's own, where it has one, and the others."""
        own = self.found()
        return [*([] if own is None else [own]), *self._others()]

    def trust(self, content: bytes) -> list[x509.Certificate]:
        """Believe the authorities whose certificates the PEM *content* holds, for ever, and return those; Invalid for others."""
        try:
            given = x509.load_pem_x509_certificates(content)
        except ValueError as error:
            raise Invalid("this is no certificate in PEM", code="certificate") from error
        for one in given:
            if not _is_authority(one):
                raise Invalid(f"{one.subject.rfc4514_string()} is no authority's certificate", code="certificate")
        kept = list(dict.fromkeys([*self._others(), *given]))
        if len(kept) > MOST_TRUSTED:
            raise Invalid(f"at most {MOST_TRUSTED} authorities can be trusted", code="certificate")
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._write(TRUSTED, b"".join(one.public_bytes(Encoding.PEM) for one in kept))
        return given

    def keep_issued(self, practitioner_id: str, content: bytes, password: str, at: datetime) -> x509.Certificate:
        """Let a practitioner sign with what another authority issued (PEM or PKCS#12) from now on, and return its certificate.

        Raises Invalid unless it can be read and used *at* that time and its authority is trusted.
        """
        try:
            given = credential_of(content, password)
        except (ValueError, TypeError) as error:
            raise Invalid(
                f"this is no key with its certificate, or the password is another: {error}", code="certificate"
            ) from error
        check_issued(given, self._others(), at)
        self._write(f"{practitioner_id}.issued.pem", given.pem)
        return given.certificate

    def issued(self) -> list[x509.Certificate]:
        """Return what other authorities issued to practitioners who sign with it."""
        return [_loaded(file.name, file.read_bytes()).certificate for file in sorted(self._folder.glob("*.issued.pem"))]

    def forget_issued(self, practitioner_id: str) -> None:
        """Let the house's own authority certify a practitioner again; NotFound when no other does."""
        try:
            (self._folder / f"{practitioner_id}.issued.pem").unlink()
        except FileNotFoundError:
            raise NotFound("no other authority's certificate is kept for this person", code="certificate") from None

    def credential(self, person: Person, institution: Institution, at: datetime) -> Credential:
        """Return what *person* of *institution* signs with on *at*: what was issued to them elsewhere, or else here.

        A new key and certificate are made for the first signature, a new name and when the present one ends soon. Invalid
        when what was issued elsewhere is not valid *at* that time: nobody is given another name's authority in silence.
        """
        issued = self._read(f"{person.id}.issued.pem")
        if issued is not None:
            certificate = issued.certificate
            if certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
                return issued
            ended = f"{certificate.not_valid_after_utc:%Y-%m-%d}"
            raise Invalid(
                f"the certificate that {person.name} signs with is valid until {ended}: `telemed ca import` takes the next one",
                code="certificate",
            )
        authority = self._authority(at)
        subject, file = _subject(person, institution), f"{person.id}.pem"
        kept = self._read(file)
        if kept is None or not _serves(kept, authority, subject, at):
            kept = _issued(subject, authority, at)
            self._write(file, kept.pem)
        return replace(kept, chain=(authority.certificate,))

    def files(self) -> dict[str, bytes]:
        """Return every file by its name: secrets, for a backup."""
        return {file.name: file.read_bytes() for file in sorted(self._folder.glob("*.pem"))}

    def restore(self, name: str, content: bytes) -> None:
        """Put one of `files` back; Invalid when it is none."""
        if not _FILE.fullmatch(name):
            raise Invalid(f"{name} is no key of an authority")
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if name == TRUSTED:
            self.trust(content)
            return
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

    def _others(self) -> list[x509.Certificate]:
        try:
            return x509.load_pem_x509_certificates((self._folder / TRUSTED).read_bytes())
        except FileNotFoundError:
            return []
        except ValueError as error:
            raise Invalid(f"{TRUSTED} of the authority is damaged: restore it from a backup", code="authority") from error

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
        return credential_of(content)
    except (ValueError, TypeError) as error:
        raise Invalid(f"{name} of the authority is damaged ({error}): restore it from a backup", code="authority") from error


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


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
