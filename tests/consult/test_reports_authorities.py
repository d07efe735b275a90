"""A hospital's own certificates and a time-stamping authority: made with openssl, which answers as RFC 3161 says."""

from __future__ import annotations

import io
import stat
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from pyhanko.pdf_utils.reader import PdfFileReader
from reportlab.pdfgen.canvas import Canvas

from consult.practitioners.model import Institution, Level, Person
from consult.reports.document.authority import Authority
from consult.reports.document.signature import Signatory, fault_of
from consult.reports.model import Report, ReportStatus, sealed
from consult.requests.model import Kind, Patient
from telemed.kernel.errors import Invalid, NotFound, Unavailable

DOCTOR = "a1" * 16
HOSPITAL = Institution("i2", "青山县医院", "Qingshan County Hospital", Level.COUNTY)
REPORT = sealed(
    Report(
        id="5e" * 16,
        task_id="7a" * 16,
        study_instance_uid="2.25.1",
        status=ReportStatus.FINAL,
        version=1,
        kind=Kind.DIAGNOSIS,
        findings="颅骨未见骨折。",
        impression="左侧基底节区脑出血。",
        critical=False,
        key_images=(),
        signed_at=datetime(2026, 1, 1, tzinfo=UTC),
        signed_by=Person(DOCTOR, "王敏"),
        institution=Institution("i1", "莲花乡卫生院", "Lianhua Township Clinic", Level.TOWNSHIP),
        performer=HOSPITAL,
        patient=Patient("P-001", "张三", "F", None, 68),
        images_sha256="ab" * 32,
    )
)
EXTENSIONS = """
[root]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
[middle]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
[doctor]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature, nonRepudiation
[server]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature, keyEncipherment
[stamp]
keyUsage = critical, digitalSignature, nonRepudiation
extendedKeyUsage = critical, timeStamping
[tsa]
serial = %(folder)s/serial
signer_digest = sha256
digests = sha256
default_policy = 1.2.3.4
ordering = yes
ess_cert_id_alg = sha256
"""


def openssl(*arguments: object) -> bytes:
    return subprocess.run(["/usr/bin/openssl", *map(str, arguments)], check=True, capture_output=True).stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The hospital's root, an authority under it, and what that one has issued: to a doctor, a web server, a time stamper."""
    folder = tmp_path_factory.mktemp("hospital")
    settings = folder / "openssl.cnf"
    settings.write_text(EXTENSIONS % {"folder": folder})
    (folder / "serial").write_text("01")
    for name, issuer, key in (
        ("root", "root", ("rsa:2048",)),
        ("middle", "root", ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")),
        ("doctor", "middle", ("rsa:2048",)),
        ("server", "middle", ("rsa:2048",)),
        ("stamp", "root", ("rsa:2048",)),
    ):
        request, private, certificate = (folder / f"{name}.{kind}" for kind in ("csr", "key", "pem"))
        subject = "/CN=王敏/O=青山县医院" if name == "doctor" else f"/CN={name} of Qingshan"
        openssl("req", "-newkey", *key, "-nodes", "-utf8", "-subj", subject, "-keyout", private, "-out", request)
        signer = (
            ("-signkey", private) if name == "root" else ("-CA", folder / f"{issuer}.pem", "-CAkey", folder / f"{issuer}.key")
        )
        options = ("-CAcreateserial", "-days", "2", "-extfile", settings, "-extensions", name)
        openssl("x509", "-req", "-in", request, *signer, *options[name == "root" :], "-out", certificate)
    files = ("-inkey", folder / "doctor.key", "-in", folder / "doctor.pem", "-certfile", folder / "middle.pem")
    openssl("pkcs12", "-export", *files, "-passout", "pass:secret", "-out", folder / "doctor.p12")
    return folder


def pem(folder: Path, *names: str) -> bytes:
    return b"".join((folder / name).read_bytes() for name in names)


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def authority(folder, tmp_path) -> Authority:
    authority = Authority(tmp_path / "authority")
    authority.trust(pem(folder, "root.pem"))
    return authority


@pytest.fixture(scope="module")
def pages() -> bytes:
    sheet = io.BytesIO()
    canvas = Canvas(sheet)
    canvas.drawString(100, 700, "Report")
    canvas.save()
    return sheet.getvalue()


def signed(authority: Authority, pages: bytes, at: datetime) -> bytes:
    return Signatory(authority).sign(pages, replace(REPORT, signed_at=at))


def poppler(content: bytes, tmp_path: Path) -> str:
    file = tmp_path / "signed.pdf"
    file.write_bytes(content)
    return subprocess.run(["/usr/bin/pdfsig", file], capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize("names", [("doctor.p12",), ("doctor.key", "doctor.pem", "middle.pem")])
def test_a_report_is_signed_with_what_the_hospitals_authority_issued(authority, folder, pages, tmp_path, names):
    now = datetime.now(UTC)
    authority.keep_issued(DOCTOR, pem(folder, *names), "secret" if names == ("doctor.p12",) else "", now)
    content = signed(authority, pages, now)
    assert fault_of(content, REPORT.content_sha256, authority.trusted(), now) is None
    [signature] = PdfFileReader(io.BytesIO(content)).embedded_signatures
    assert "middle of Qingshan" in signature.signer_cert.issuer.human_friendly
    assert "UNTRUSTED" in str(fault_of(content, REPORT.content_sha256, Authority(tmp_path / "other").trusted(), now))
    assert "Signature is Valid" in poppler(content, tmp_path)
    kept = tmp_path / "authority" / f"{DOCTOR}.issued.pem"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    authority.forget_issued(DOCTOR)
    again = signed(authority, pages, now)
    assert fault_of(again, REPORT.content_sha256, authority.trusted(), now) is None
    with pytest.raises(NotFound):
        authority.forget_issued(DOCTOR)


def test_what_cannot_be_signed_with_is_not_taken(authority, folder, now, tmp_path):
    wrong = {
        "password": (pem(folder, "doctor.p12"), "guessed", now),
        "its certificate's": (pem(folder, "doctor.key", "server.pem"), "", now),
        "PEM": (b"neither", "", now),
        "path": (pem(folder, "doctor.key", "doctor.pem"), "", now),
        "usage": (pem(folder, "server.key", "server.pem", "middle.pem"), "", now),
        "expired": (pem(folder, "doctor.p12"), "secret", now + timedelta(days=3)),
    }
    for said, (content, password, at) in wrong.items():
        with pytest.raises(Invalid):
            authority.keep_issued(DOCTOR, content, password, at)
        assert not (tmp_path / "authority" / f"{DOCTOR}.issued.pem").exists(), said
    with pytest.raises(Invalid):
        Authority(tmp_path / "other").keep_issued(DOCTOR, pem(folder, "doctor.p12"), "secret", now)
    with pytest.raises(Invalid, match="no authority"):
        authority.trust(pem(folder, "doctor.pem"))


def test_nobody_signs_with_a_certificate_that_has_ended(authority, folder, pages, now):
    authority.keep_issued(DOCTOR, pem(folder, "doctor.p12"), "secret", now)
    with pytest.raises(Invalid, match="telemed ca import"):
        signed(authority, pages, now + timedelta(days=3))


def test_what_a_hospital_issued_and_whom_we_trust_are_in_the_backup(authority, folder, pages, now, tmp_path):
    authority.keep_issued(DOCTOR, pem(folder, "doctor.p12"), "secret", now)
    content = signed(authority, pages, now)
    restored = Authority(tmp_path / "restored")
    for name, kept in authority.files().items():
        restored.restore(name, kept)
    assert restored.files() == authority.files()
    assert fault_of(content, REPORT.content_sha256, restored.trusted(), now) is None


class Stamper(BaseHTTPRequestHandler):
    """Answers RFC 3161 requests over HTTP with what `openssl ts -reply` makes of them."""

    def do_POST(self):
        folder = self.server.folder
        query, reply = folder / "query.tsq", folder / "reply.tsr"
        query.write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
        signer = ("-signer", folder / "stamp.pem", "-inkey", folder / "stamp.key", "-chain", folder / "root.pem")
        openssl("ts", "-reply", "-config", folder / "openssl.cnf", "-section", "tsa", "-queryfile", query, *signer, "-out", reply)
        self.send_response(200)
        self.send_header("Content-Type", "application/timestamp-reply")
        self.end_headers()
        self.wfile.write(reply.read_bytes())

    def log_message(self, *_):
        pass


@contextmanager
def stamping(folder: Path) -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Stamper)
    server.folder = folder
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def test_the_time_of_a_signature_is_stamped_and_believed_of_a_trusted_authority_only(folder, pages, now, tmp_path):
    with stamping(folder) as url:
        authority = Authority(tmp_path / "authority", timestamp_url=url)
        with pytest.raises(Unavailable, match="of no use"):
            signed(authority, pages, now)
        authority.trust(pem(folder, "root.pem"))
        content = signed(authority, pages, now)
        with pytest.raises(Unavailable, match="its time stamp says"):
            signed(authority, pages, now + timedelta(minutes=30))
    [signature] = PdfFileReader(io.BytesIO(content)).embedded_signatures
    assert [one["type"].native for one in signature.signer_info["unsigned_attrs"]] == ["signature_time_stamp_token"]
    assert fault_of(content, REPORT.content_sha256, authority.trusted(), now) is None
    assert "Signature is Valid" in poppler(content, tmp_path)


def test_without_an_answer_of_the_time_stamper_nothing_is_signed(folder, pages, now, tmp_path):
    with stamping(folder) as url:
        pass
    authority = Authority(tmp_path / "authority", timestamp_url=url)
    with pytest.raises(Unavailable, match="cannot be stamped"):
        signed(authority, pages, now)
