"""The administrator's commands for equipment, and a composed house that answers it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from support import dcmtk

from consult.practitioners import views
from consult.requests.model import HOUSE_ZONE
from consult.requests.tables import examination_table
from telemed import cli, compose, keeping
from telemed.config import load
from telemed.kernel.errors import Invalid

HEADER = "institution,accession_number,patient_id,name,modality,scheduled_at\n"


@pytest.fixture
def telemed(tmp_path, capsys):
    def telemed(*arguments):
        status = cli.main([*arguments, "--data", str(tmp_path / "data")])
        said = capsys.readouterr()
        return status, said.out + said.err

    assert telemed("institution", "add", "莲花乡卫生院", "--ae-title", "CT1")[0] == 0
    return telemed


@pytest.fixture
def worklist(tmp_path):
    file = tmp_path / "worklist.csv"
    tomorrow = datetime.now(HOUSE_ZONE) + timedelta(days=1)
    file.write_text(f"{HEADER}莲花乡卫生院,A1001,P77,WANG^Fang=王芳,CT,{tomorrow:%Y-%m-%d} 09:30\n", encoding="utf-8")
    return file


def test_a_peer_is_added_listed_and_removed(telemed):
    assert telemed("peer", "add", "ORTHANC", "10.0.0.8:4242", "--institution", "莲花乡卫生院") == (0, "")
    assert telemed("peer", "list") == (0, "ORTHANC\t10.0.0.8:4242\t莲花乡卫生院\n")
    status, said = telemed("peer", "add", "ORTHANC", "10.0.0.9:4242")
    assert (status, "already a peer ORTHANC" in said) == (2, True)
    assert telemed("peer", "remove", "ORTHANC")[0] == 0
    assert telemed("peer", "list") == (0, "")
    assert telemed("peer", "remove", "ORTHANC")[0] == 2
    assert telemed("peer", "add", "ORTHANC", "nowhere")[0] == 2


def test_a_peer_over_tls_is_entered_with_its_certificate(telemed):
    digits = "ab" * 32
    assert telemed("peer", "add", "PACS", "10.0.0.8:2762", "--tls", "--fingerprint", digits.upper(), "--commits") == (0, "")
    assert telemed("peer", "list") == (0, f"PACS\t10.0.0.8:2762\teverybody\tTLS {digits}\tcommits\n")
    status, said = telemed("peer", "add", "OTHER", "10.0.0.9:104", "--fingerprint", digits)
    assert (status, "--tls" in said) == (2, True)


def test_a_device_is_bound_to_institution_networks_and_certificate(telemed, tmp_path):
    digits = "ab" * 32
    bound = ("--institution", "莲花乡卫生院", "--network", "10.2.0.0/16", "--fingerprint", digits)
    assert telemed("device", "add", "US1", *bound) == (0, "")
    assert telemed("device", "list") == (0, f"CT1\t莲花乡卫生院\t*\t-\nUS1\t莲花乡卫生院\t10.2.0.0/16\t{digits}\n")
    with keeping.kept(load({"data": str(tmp_path / "data")}, environment={})) as store, store.database.reading() as db:
        assert views.institution_of_ae(db, "US1", "10.2.0.1", digits)
        assert views.institution_of_ae(db, "US1", "10.2.0.1") is None
    assert telemed("device", "remove", "US1", "--institution", "莲花乡卫生院") == (0, "")
    assert telemed("device", "remove", "US1", "--institution", "莲花乡卫生院")[0] == 2
    assert telemed("device", "add", "US1", "--institution", "莲花乡卫生院", "--fingerprint", "short")[0] == 2


def test_forwarding_is_set_up_listed_retried_cancelled_and_taken_back(telemed):
    telemed("peer", "add", "PACS", "10.0.0.8:104")
    assert telemed("forward", "add", "PACS", "--institution", "莲花乡卫生院", "--modality", "ct") == (0, "")
    assert telemed("forward", "list") == (0, "PACS\t莲花乡卫生院\tCT\nPACS\t0 sent, 0 waiting, 0 given up\n")
    assert telemed("forward", "retry", "PACS") == (0, "0 objects are tried again\n")
    assert telemed("forward", "cancel", "PACS") == (0, "0 objects will not be sent\n")
    status, said = telemed("peer", "remove", "PACS")
    assert (status, "remove its rules" in said) == (2, True)
    assert telemed("forward", "remove", "PACS")[0] == 2
    assert telemed("forward", "remove", "PACS", "--institution", "莲花乡卫生院", "--modality", "CT") == (0, "")
    assert telemed("peer", "remove", "PACS") == (0, "")
    assert telemed("forward", "add", "PACS")[0] == 2


def test_what_a_device_writes_is_set_listed_and_removed(telemed):
    status, said = telemed("charset", "set", "GB18030", "--ae-title", "CT1", "--institution", "莲花乡卫生院")
    profile = said.partition(":")[0]
    assert status == 0
    assert telemed("charset", "list") == (0, f"{profile}\tGB18030\t莲花乡卫生院\tCT1\t*\t*\n")
    assert telemed("charset", "illegible") == (0, "")
    assert telemed("charset", "set", "KLINGON", "--ae-title", "CT1")[0] == 2
    assert telemed("charset", "remove", profile) == (0, "")
    assert telemed("charset", "remove", profile)[0] == 2


def test_a_worklist_is_imported_and_may_be_imported_again(telemed, worklist):
    assert telemed("worklist", "import", str(worklist)) == (0, "1 examinations were taken in, 0 were already known\n")
    assert telemed("worklist", "import", str(worklist)) == (0, "0 examinations were taken in, 1 were already known\n")
    status, said = telemed("worklist", "list")
    assert (status, "09:30\t莲花乡卫生院\tCT\tA1001\tWANG^Fang=王芳" in said) == (0, True)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("莲花乡卫生院,A1,P1,WANG,CT,soon\n", "line 2: 'soon' is no date and time"),
        ("莲花乡卫生院,,P1,WANG,CT,2026-03-02 09:30\n", "line 2: the accession number"),
        ("无名,A1,P1,WANG,CT,2026-03-02 09:30\n", "there is no institution '无名'"),
    ],
)
def test_a_wrong_line_of_a_worklist_is_named_and_nothing_is_taken_in(telemed, worklist, line, what):
    worklist.write_text(worklist.read_text(encoding="utf-8") + line if "无名" in line else HEADER + line, encoding="utf-8")
    status, said = telemed("worklist", "import", str(worklist))
    assert (status, what in said) == (2, True), said
    assert telemed("worklist", "list") == (0, "")


BORN = "institution,accession_number,patient_id,name,birth_date,modality,scheduled_at\n"


@pytest.mark.parametrize(
    "written",
    [
        "19580214",
        "1958-02-14",
        "1958-2-14",
        "1958/2/14",
        "1958/02/14",
        "1958.2.14",
        "1958年2月14日",
        "1958年02月14日",
        "１９５８／２／１４",
    ],
)
def test_a_birth_date_is_taken_as_spreadsheets_write_it(telemed, worklist, tmp_path, written):
    worklist.write_text(f"{BORN}莲花乡卫生院,A1,P1,WANG,{written},CT,2026-03-02 09:30\n", encoding="utf-8")
    assert telemed("worklist", "import", str(worklist))[0] == 0
    with keeping.kept(load({"data": str(tmp_path / "data")}, environment={})) as store, store.database.reading() as db:
        assert db.execute(select(examination_table.c.birth_date)).scalars().all() == ["19580214"]


@pytest.mark.parametrize(
    ("written", "what"),
    [
        *((ambiguous, "cannot be read for certain: write the year first, with four digits, as 1958-02-14") for ambiguous in (
            "14/2/1958", "2/14/1958", "14.02.1958", "58-2-14", "58/2/14", "2/3/04", "1958-2/14", "1958年2月", "1958-02", "21230",
            "Feb 14 1958", "1958-02-14 soon", "١٩٥٨-٠٢-١٤",
        )),
        ("1958-02-31", "the birth date 19580231 is no day of the calendar"),
        ("19581301", "the birth date 19581301 is no day of the calendar"),
        ("0000-01-01", "the birth date 00000101 is no day of the calendar"),
        ("2958年2月14日", "the birth date 2958-02-14 is still to come"),
    ],
)  # fmt: skip
def test_a_birth_date_that_could_be_two_or_none_is_refused_with_its_line(telemed, worklist, written, what):
    rows = f"莲花乡卫生院,A1,P1,WANG,1958-02-14,CT,2026-03-02 09:30\n莲花乡卫生院,A2,P2,LI,{written},CT,2026-03-02 09:30\n"
    worklist.write_text(BORN + rows, encoding="utf-8")
    status, said = telemed("worklist", "import", str(worklist))
    assert (status, "line 3: " in said, what in said) == (2, True, True), said
    assert telemed("worklist", "list") == (0, "")


def test_the_house_answers_a_modality_that_asks_what_to_do(telemed, worklist, tmp_path):
    telemed("worklist", "import", str(worklist))
    config = load({"data": str(tmp_path / "data"), "dicom": "127.0.0.1:0"}, environment={})
    with keeping.kept(config) as store:
        house = compose.house(config, store)
        house.node.start()
        try:
            asking, asked = ("-v", "-aet", "CT1", "-aec", "TELEMED"), house.node.address
            keys = ("-k", "AccessionNumber", "-k", "PatientName=王*", "-k", "SpecificCharacterSet=ISO_IR 192")
            done = dcmtk.run("findscu", "-W", *asking, *keys, *asked)
            assert "A1001" in done.stdout + done.stderr
            done = dcmtk.run(
                "findscu", "-S", "-v", "-aet", "CT1", "-aec", "TELEMED", "-k", "QueryRetrieveLevel=STUDY", *house.node.address
            )
            assert "Received Final Find Response (Success)" in done.stdout + done.stderr
        finally:
            house.node.stop(1)
            house.confinement.close()


def test_tls_without_its_files_is_one_sentence(telemed, tmp_path):
    config = load({"data": str(tmp_path / "data"), "dicom_tls": "127.0.0.1:0"}, environment={})
    with keeping.kept(config) as store, pytest.raises(Invalid, match="dicom_tls_client_ca"):
        compose.house(config, store)


def test_reports_go_to_the_peer_that_is_said_to_take_them(telemed):
    whose = ("--institution", "莲花乡卫生院")
    assert telemed("peer", "add", "LIANHUA", "10.0.0.8:104", *whose) == (0, "")
    assert telemed("forward", "add", "LIANHUA", "--reports")[0] == 2
    assert telemed("forward", "add", "LIANHUA", *whose, "--reports") == (0, "")
    assert telemed("forward", "list")[1].splitlines()[0] == "LIANHUA\t莲花乡卫生院\treports"
    assert telemed("forward", "remove", "LIANHUA", *whose)[0] == 2
    assert telemed("forward", "remove", "LIANHUA", *whose, "--reports") == (0, "")
