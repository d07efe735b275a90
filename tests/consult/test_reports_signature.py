"""The signature in a report's PDF: pyHanko and poppler's pdfsig accept it, one flipped bit anywhere breaks it."""

from __future__ import annotations

import io
import re
import stat
import subprocess
import threading
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from pypdf import PdfWriter

from consult.practitioners.model import Institution, Level, Person
from consult.reports.document.authority import Authority
from consult.reports.document.content import Attachments, Ledger
from consult.reports.document.pages import write
from consult.reports.document.signature import Signatory, fault_of
from consult.reports.model import Report, ReportStatus, sealed
from consult.requests.model import Kind, Patient
from telemed.kernel.errors import Invalid

FONTS = Path(__file__).parents[2] / "web" / "static" / "fonts"
SIGNED_AT = datetime(2026, 3, 2, 1, 44, tzinfo=UTC)
PERFORMER = Institution("i2", "青山县医院", "Qingshan County Hospital", Level.COUNTY)
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
        signed_at=SIGNED_AT,
        signed_by=Person("a1" * 16, "王敏"),
        institution=Institution("i1", "莲花乡卫生院", "Lianhua Township Clinic", Level.TOWNSHIP),
        performer=PERFORMER,
        patient=Patient("P-001", "㛃䶮", "F", date(1958, 2, 14), 68),
        images_sha256="ab" * 32,
    )
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("keys") / "authority")


@pytest.fixture(scope="module")
def pages() -> bytes:
    return write(REPORT, Attachments(), Ledger([None] * 7, 0), FONTS)


@pytest.fixture(scope="module")
def signed(authority, pages) -> bytes:
    return Signatory(authority).sign(pages, REPORT)


def fault(pdf: bytes, authority: Authority, report: Report = REPORT) -> str | None:
    return fault_of(pdf, report.content_sha256, authority.trusted(), SIGNED_AT)


def common_name(certificate: x509.Certificate) -> str:
    return str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def test_a_signed_document_holds_and_names_its_content(signed, pages, authority):
    assert signed.startswith(pages)
    assert fault(signed, authority) is None
    assert "another content" in str(fault(signed, authority, replace(REPORT, content_sha256="00" * 32)))


def test_poppler_says_the_signature_is_valid_and_covers_the_whole_file(signed, tmp_path):
    file = tmp_path / "report.pdf"
    file.write_bytes(signed)
    said = subprocess.run(["/usr/bin/pdfsig", file], capture_output=True, text=True, check=False).stdout
    for line in ("Signature is Valid", "Total document signed", "ETSI.CAdES.detached", "王敏", "青山县医院"):
        assert line in said


def test_one_flipped_bit_in_what_the_signature_covers_is_found(signed, authority):
    covered = re.search(rb"/ByteRange \[(\d+) (\d+) (\d+) (\d+)", signed)
    begin, first, resumed, rest = map(int, covered.groups())
    assert (begin, resumed + rest) == (0, len(signed))
    assert resumed - first < 5000, "only the signature itself is left out"
    for place in (*range(0, first, first // 60), first - 1, resumed, *range(resumed, len(signed), rest // 10), len(signed) - 1):
        changed = bytearray(signed)
        changed[place] ^= 1
        assert fault(bytes(changed), authority) is not None, place


def test_a_page_added_behind_the_signature_is_found(signed, authority):
    writer = PdfWriter(io.BytesIO(signed), incremental=True)
    writer.add_blank_page()
    longer = io.BytesIO()
    writer.write(longer)
    assert longer.getvalue().startswith(signed)
    assert "does not hold" in str(fault(longer.getvalue(), authority))


def test_a_signature_of_another_authority_is_not_trusted(pages, authority, tmp_path):
    forged = Signatory(Authority(tmp_path / "other")).sign(pages, REPORT)
    assert "UNTRUSTED" in str(fault(forged, authority))


def test_an_unsigned_document_is_named(pages, authority):
    assert "0 signatures" in str(fault(pages, authority))


@pytest.mark.parametrize("name", ["王𬭎", "ئالىم·Alim", "ئالىم", "", "名" * 30, "\ue000"], ids=len)
def test_every_name_can_sign_whatever_characters_it_has(name, pages, authority):
    report = replace(REPORT, signed_by=Person("b2" * 16, name))
    assert fault(Signatory(authority).sign(pages, report), authority) is None


def test_a_rare_character_leaves_the_rest_of_the_name_in_the_certificate(authority):
    credential = authority.credential(Person("c3" * 16, "王𬭎"), PERFORMER, SIGNED_AT)
    assert common_name(credential.certificate) == "王〓"


def test_keys_are_made_once_and_readable_by_the_server_alone(tmp_path):
    folder = tmp_path / "authority"
    first = Authority(folder).credential(REPORT.signed_by, PERFORMER, SIGNED_AT).certificate
    again = Authority(folder).credential(REPORT.signed_by, PERFORMER, SIGNED_AT + timedelta(days=30)).certificate
    assert first == again
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [(file.name, stat.S_IMODE(file.stat().st_mode)) for file in sorted(folder.iterdir())] == [
        (f"{'a1' * 16}.pem", 0o600),
        ("authority.pem", 0o600),
    ]


def test_a_new_name_and_a_certificate_near_its_end_make_a_new_one(authority):
    def of(name: str, at: datetime) -> x509.Certificate:
        return authority.credential(Person("d4" * 16, name), PERFORMER, at).certificate

    first = of("李静", SIGNED_AT)
    assert common_name(of("李静怡", SIGNED_AT)) == "李静怡"
    later = of("李静怡", SIGNED_AT + timedelta(days=3 * 365 - 10))
    assert later.not_valid_after_utc > first.not_valid_after_utc


def test_ten_that_need_the_authority_at_once_get_the_same(tmp_path):
    found: list[x509.Certificate] = []
    threads = [
        threading.Thread(target=lambda: found.append(Authority(tmp_path / "keys").certificate(SIGNED_AT))) for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 10
    assert len(set(found)) == 1


def test_a_damaged_key_is_a_sentence(tmp_path):
    authority = Authority(tmp_path)
    authority.certificate(SIGNED_AT)
    (tmp_path / "authority.pem").write_text("damaged")
    with pytest.raises(Invalid, match=r"authority\.pem"):
        authority.certificate(SIGNED_AT)


def test_signing_takes_less_than_half_a_second_of_the_processor(pages, authority):
    begun = time.process_time()
    Signatory(authority).sign(pages, REPORT)
    assert time.process_time() - begun < 0.5
