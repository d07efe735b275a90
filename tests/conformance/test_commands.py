"""The commands as an administrator types them: what they print, and the one sentence when they cannot."""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import sqlite3
import subprocess
import time
import tomllib
from pathlib import Path

import pytest
from conformance.bad_files import shipped
from conformance.raw_scu import VERIFICATION, RawAssociation, is_answering
from pydicom import dcmread
from support import dcmtk
from support.ecg_files import EIGHT, LEADS, binary, counts, markup
from support.server import TELEMED, Client, Server, until

PASSWORD = "correct horse battery staple"


def says_one_sentence(done: subprocess.CompletedProcess[str], pattern: str, status: int = 2) -> None:
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    assert re.search(pattern, done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


@pytest.fixture
def ct_small(tmp_path) -> Path:
    file = tmp_path / "ct_small.dcm"
    file.write_bytes(shipped("CT_small.dcm"))
    return file


# --- serve


def test_a_second_server_on_the_same_data_is_refused(server, telemed):
    says_one_sentence(
        telemed("serve", "--data", server.data, "--http", "127.0.0.1:0", "--dicom", "127.0.0.1:0"), "another telemed"
    )
    assert server.client("clinic").get("/healthz") == {"status": "up"}


@pytest.mark.parametrize("door", ["--http", "--dicom"])
def test_a_port_that_is_taken_is_named(telemed, tmp_path, door):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        other = "--dicom" if door == "--http" else "--http"
        done = telemed("serve", "--data", tmp_path / "data", other, "127.0.0.1:0", door, f"127.0.0.1:{port}")
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert re.search(rf"telemed: .*\b{port}\b", done.stderr.splitlines()[-1]), done.stderr


def test_sigterm_ends_it_in_order_with_an_association_and_a_live_socket_open(tmp_path):
    server = Server(tmp_path / "data").start()
    client = server.client("radiologist")
    host, port = server.http.removeprefix("http://").split(":")
    with RawAssociation(server.dicom_port) as association, socket.create_connection((host, int(port)), timeout=20) as live:
        key = base64.b64encode(os.urandom(16)).decode()
        live.sendall(
            f"GET /api/v1/live HTTP/1.1\r\nHost: {host}:{port}\r\nOrigin: {server.http}\r\n"
            f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key}\r\nCookie: {client.cookie}\r\n\r\n".encode()
        )
        assert b"101" in live.recv(4096).splitlines()[0]
        begun = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - begun < 15  # 10 s of grace for the association, and a loaded machine
        assert association.receive()[0] in (0, 7)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=2)
    assert not [line for line in server.log if "Traceback" in line]


def test_an_idle_server_rests(server, ct_small):
    dcmtk.storescu(server.dicom_port, ct_small)
    client = server.client("clinic")  # signing in is an event that no worker follows
    until(lambda: client.get("/api/v1/tasks")["items"] or client.get("/api/v1/studies")["items"][0]["settled_at"])
    time.sleep(2)
    before, begun = _processor_s(server), time.monotonic()
    time.sleep(3)
    share = (_processor_s(server) - before) / (time.monotonic() - begun)
    assert share < 0.12, f"it uses {share:.0%} of a processor while nothing happens"


def _processor_s(server: Server) -> float:
    fields = Path(f"/proc/{server.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        (("serve", "--http", "8080"), r"--http.*HOST:PORT"),
        (("serve", "--dicom", "localhost:99999"), r"--dicom.*HOST:PORT"),
        (("serve", "--aet", "A TITLE THAT IS TOO LONG"), r"AE title"),
        (("serve", "--config", "absent.toml"), r"absent\.toml does not exist"),
        (("verify", "--database", "nonsense"), r"--database|database"),
        (("ecg", "absent.hea"), r"absent\.hea.*no such file"),
        (("user", "add", "li"), r"--institution"),
    ],
)
def test_what_cannot_be_used_is_named_in_one_sentence(telemed, tmp_path, arguments, pattern):
    data = () if arguments[0] == "ecg" else ("--data", tmp_path / "data")
    says_one_sentence(telemed(*arguments, *data), pattern)


@pytest.mark.parametrize("arguments", [("serve", "--colour", "red"), ("sing",), ()])
def test_an_unknown_command_or_option_is_answered_with_the_usage(telemed, arguments):
    done = telemed(*arguments)
    assert done.returncode == 2
    assert "usage: telemed" in done.stderr
    assert "Traceback" not in done.stderr
    assert re.search(r"error: .*(colour|sing|required)", done.stderr.splitlines()[-1]), done.stderr


@pytest.mark.parametrize(
    ("content", "pattern"),
    [("htpp = '127.0.0.1:1'", r"no setting 'htpp'"), ("aet = [", r"cannot be read"), ("quiet_s = 'soon'", r"quiet_s.*'soon'")],
)
def test_a_mistake_in_the_settings_file_is_named(telemed, tmp_path, content, pattern):
    file = tmp_path / "telemed.toml"
    file.write_text(content, encoding="utf-8")
    says_one_sentence(telemed("migrate", "--config", file, "--data", tmp_path / "data"), pattern)


def test_a_mistake_in_the_environment_is_named(telemed, tmp_path):
    says_one_sentence(telemed("migrate", "--data", tmp_path / "data", TELEMED_HTTP="here"), r"TELEMED_HTTP.*HOST:PORT")


def test_an_option_stands_above_the_environment_and_that_above_the_file(telemed, tmp_path):
    file = tmp_path / "telemed.toml"
    file.write_text("aet = 'FILE'", encoding="utf-8")
    told = [telemed("conformance", "--config", file).stdout, telemed("conformance", "--config", file, TELEMED_AET="WORLD").stdout]
    assert "FILE" in told[0]
    assert "WORLD" in told[1]
    assert tomllib.loads(file.read_text(encoding="utf-8")) == {"aet": "FILE"}


# --- institutions, people, tokens: a server without the demo


@pytest.fixture(scope="module")
def county(tmp_path_factory, telemed) -> Path:
    """A data folder as an administrator prepares it."""
    data = tmp_path_factory.mktemp("county") / "data"
    for arguments in (
        ("institution", "add", "红星乡卫生院", "--name-en", "Hongxing Clinic", "--kind", "township", "--ae-title", "HONGXING"),
        ("institution", "add", "县医院", "--name-en", "County Hospital", "--kind", "county"),
    ):
        done = telemed(*arguments, "--data", data)
        assert done.returncode == 0, done.stderr
    done = telemed(
        *("user", "add", "zhao", "--name", "赵兰", "--institution", "红星乡卫生院", "--role", "clinic", "--data", data),
        says=f"{PASSWORD}\n",
    )
    assert done.returncode == 0, done.stderr
    return data


@pytest.fixture(scope="module")
def strict(county):
    """A server without the demo."""
    running = Server(county, options=()).start()
    yield running
    if running.process.poll() is None:
        running.kill()


def test_institutions_are_listed_and_imported_all_or_none(county, telemed, tmp_path):
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text(
        "name,name_en,kind,ae_title\n东风乡卫生院,Dongfeng Clinic,township,DONGFENG\n省立医院,,provincial,\n", "utf-8"
    )
    bad.write_text("name,name_en,kind,ae_title\n前进乡卫生院,,township,\n后退乡卫生院,,village,\n", "utf-8")
    assert telemed("institution", "import", good, "--data", county).returncode == 0
    says_one_sentence(telemed("institution", "import", bad, "--data", county), r"bad\.csv, line 3: .*village")
    says_one_sentence(telemed("institution", "import", tmp_path / "none.csv", "--data", county), r"none\.csv.*cannot be read")
    listed = telemed("institution", "list", "--data", county).stdout
    assert "township\t东风乡卫生院\tDongfeng Clinic" in listed
    assert "provincial\t省立医院" in listed
    assert "前进" not in listed


def test_a_user_signs_in_only_with_their_newest_password(strict, county, telemed):
    assert "zhao\tclinic\t赵兰\t红星乡卫生院" in telemed("user", "list", "--data", county).stdout
    earlier = Client(strict.http).sign_in("zhao", PASSWORD)
    done = telemed("user", "passwd", "zhao", "--data", county, says="a newer and longer one\n")
    assert done.returncode == 0, done.stderr
    assert earlier.ask("GET", "/api/v1/session")[0] == 401
    assert Client(strict.http).ask("POST", "/api/v1/session", {"username": "zhao", "password": PASSWORD})[0] == 401
    assert Client(strict.http).sign_in("zhao", "a newer and longer one").get("/api/v1/session")["user"]["name"] == "赵兰"


def test_nobody_has_a_default_password_without_the_demo(strict):
    for username in ("clinic", "radiologist", "admin"):
        status, _, _ = Client(strict.http).ask("POST", "/api/v1/session", {"username": username, "password": "telemed-demo"})
        assert status == 401


def test_people_who_cannot_be_are_refused_by_name(county, telemed):
    def add(*arguments, says=PASSWORD):
        return telemed("user", "add", *arguments, "--data", county, says=f"{says}\n")

    says_one_sentence(add("qian", "--institution", "天国医院", "--role", "clinic"), r"天国医院")
    says_one_sentence(add("qian", "--institution", "县医院", "--role", "wizard"), r"wizard.*radiologist")
    says_one_sentence(add("zhao", "--institution", "县医院", "--role", "clinic"), r"zhao|taken|already")
    says_one_sentence(add("qian", "--institution", "县医院", "--role", "clinic", says=""), r"password")
    says_one_sentence(telemed("user", "passwd", "nobody", "--data", county, says=f"{PASSWORD}\n"), r"nobody|no such|no user")
    says_one_sentence(telemed("token", "create", "nobody", "--data", county), r"nobody|no such|no user")


def test_a_token_opens_the_api_and_dicomweb_without_a_cookie(strict, county, telemed, ct_small, tmp_path):
    done = telemed("token", "create", "zhao", "--label", "the CT's console", "--data", county)
    assert done.returncode == 0, done.stderr
    bearer = {"Authorization": f"Bearer {done.stdout.strip()}"}
    program = Client(strict.http)
    assert program.ask("GET", "/api/v1/studies", headers=bearer)[0] == 200
    assert program.ask("GET", "/api/v1/studies", headers={"Authorization": "Bearer wrong"})[0] == 401
    sent = telemed("send", ct_small, "--to", strict.http, TELEMED_TOKEN=done.stdout.strip())
    assert sent.returncode == 0, sent.stderr
    assert "1 of 1 arrived" in sent.stderr
    image = dcmread(ct_small)
    image.PatientComments = "other content under the same UID"
    image.save_as(tmp_path / "beside.dcm")
    sent = telemed("send", tmp_path / "beside.dcm", "--to", strict.http, TELEMED_TOKEN=done.stdout.strip())
    assert (sent.returncode, "1 of 1 arrived" in sent.stderr) == (0, True), sent.stderr  # kept with a warning
    status, found, _ = program.ask("GET", "/dicom-web/studies", headers=bearer)
    assert status == 200
    assert found[0]["0020000D"]["Value"] == [str(dcmread(ct_small).StudyInstanceUID)]


def test_an_unknown_ae_is_rejected_and_a_known_one_is_not(strict, telemed, ct_small):
    stranger = dcmtk.storescu(strict.dicom_port, ct_small, calling="STRANGER")
    assert stranger.returncode != 0
    assert re.search(r"Calling AE Title Not Recognized", stranger.stdout + stranger.stderr)
    misled = dcmtk.storescu(strict.dicom_port, ct_small, called="ANOTHER", calling="HONGXING")
    assert misled.returncode != 0
    assert re.search(r"Called AE Title Not Recognized", misled.stdout + misled.stderr)
    known = dcmtk.storescu(strict.dicom_port, ct_small, calling="HONGXING")
    assert dcmtk.acknowledged(known.stdout + known.stderr) == 1
    done = telemed("send", ct_small, "--to", f"TELEMED@127.0.0.1:{strict.dicom_port}", "--aet", "STRANGER")
    assert done.returncode == 1
    assert re.search(r"ct_small\.dcm: .*rejected.*STRANGER", done.stderr)
    done = telemed("send", ct_small, "--to", f"TELEMED@127.0.0.1:{strict.dicom_port}", "--aet", "HONGXING")
    assert done.returncode == 0, done.stderr


def test_a_c_echo_of_an_unknown_ae_is_rejected_too(strict):
    with pytest.raises(AssertionError, match="not accepted"):
        RawAssociation(strict.dicom_port, sop_class=VERIFICATION, calling="STRANGER")


# --- verify, doctor, migrate, conformance


def test_verify_names_a_flipped_byte_a_missing_file_and_an_altered_audit_record(tmp_path, telemed, ct_small):
    server = Server(tmp_path / "data").start()
    try:
        (tmp_path / "ecg.dcm").write_bytes(shipped("waveform_ecg.dcm"))
        sent = dcmtk.storescu(server.dicom_port, ct_small, tmp_path / "ecg.dcm")
        assert dcmtk.acknowledged(sent.stdout + sent.stderr) == 2
    finally:
        assert server.stop() == 0
    data = server.data
    whole = telemed("verify", "--data", data)
    assert (whole.returncode, whole.stderr) == (0, "")

    flipped, gone = sorted((data / "blobs").rglob("*.dcm"), key=lambda file: file.stat().st_size)
    content = bytearray(flipped.read_bytes())
    content[20_000] ^= 1
    flipped.chmod(0o600)
    flipped.write_bytes(content)
    found = telemed("verify", "--data", data)
    assert found.returncode == 1
    assert re.search(rf"{flipped.stem}.*has changed since it was stored", found.stdout)
    assert str(dcmread(ct_small).SOPInstanceUID) in found.stdout

    gone.unlink()
    assert re.search(rf"{gone.stem}.*is missing", telemed("verify", "--data", data).stdout)

    stray = flipped.with_name("0" * 64 + ".dcm")
    stray.write_bytes(b"nobody's")
    assert "0" * 64 in telemed("verify", "--data", data).stdout

    with sqlite3.connect(data / "telemed.sqlite") as db:
        (sequence,) = db.execute("SELECT min(sequence) + 2 FROM audit_record").fetchone()
        db.execute("UPDATE audit_record SET actor = 'somebody else' WHERE sequence = ?", (sequence,))
        last = db.execute("SELECT max(sequence) FROM audit_record").fetchone()[0]
        db.execute("DELETE FROM audit_record WHERE sequence = ?", (last - 1,))
    db.close()
    found = telemed("verify", "--data", data)
    assert found.returncode == 1
    assert f"audit record {sequence} was altered" in found.stdout
    assert f"audit records {last - 1} to {last - 1} are missing" in found.stdout


def test_migrate_makes_the_schema_and_then_says_that_it_is_the_newest(telemed, tmp_path):
    first, second = (telemed("migrate", "--data", tmp_path / "data") for _ in range(2))
    assert (first.returncode, second.returncode) == (0, 0), first.stderr
    assert "was brought from nothing to" in first.stdout
    assert "has the newest schema" in second.stdout


def test_doctor_has_a_line_for_each_thing_it_looked_at(telemed, tmp_path):
    data = ("--data", tmp_path / "data")
    done = telemed("doctor", *data, TELEMED_HTTP="127.0.0.1:0", TELEMED_DICOM="127.0.0.1:0")
    lines = done.stdout.splitlines()
    assert all(re.match(r"(ok  |BAD ) \w[\w ]*: \S", line) for line in lines), done.stdout
    for what in ("data", "disk", "clock", "database", "front end", "web", "DICOM"):
        assert sum(line[5:].startswith(f"{what}:") for line in lines) == 1
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ill = telemed("doctor", *data, TELEMED_HTTP=f"127.0.0.1:{port}", TELEMED_DICOM="127.0.0.1:0")
    assert ill.returncode == 1
    assert re.search(rf"BAD  web: .*{port}", ill.stdout)


def test_the_conformance_statement_names_what_is_offered(telemed):
    done = telemed("conformance", TELEMED_AET="COUNTY")
    assert done.returncode == 0, done.stderr
    for word in ("COUNTY", "Conformance Statement", "1.2.840.10008.1.1", "Storage", "Transfer syntaxes", "2.25."):
        assert word in done.stdout, word


# --- ecg


@pytest.fixture
def recording(tmp_path) -> Path:
    file = tmp_path / "ecg.dcm"
    file.write_bytes(shipped("waveform_ecg.dcm"))
    return file


MEASUREMENTS = {
    *("heart_rate_bpm", "p_duration_ms", "pr_interval_ms", "qrs_duration_ms", "qt_interval_ms", "qtc_ms"),
    *("p_axis_deg", "qrs_axis_deg", "t_axis_deg", "rv5_sv1_mv", "st_j_mv"),
}
WAVES = {"p_on", "p_peak", "p_off", "qrs_on", "qrs_off", "t_on", "t_peak", "t_off"}


def test_ecg_as_json_has_every_key_and_its_lists_are_sorted(telemed, recording):
    done = telemed("ecg", recording, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert {
        "format",
        "sampling_frequency_hz",
        "duration_s",
        "leads",
        "r_peaks",
        "delineation",
        "rhythm",
        "quality",
    } <= found.keys()
    assert {"measurements", "statements", "warnings"} <= found.keys()
    assert found["format"] == "dicom"
    assert (found["sampling_frequency_hz"], found["duration_s"]) == (1000, 10)
    assert found["leads"] == ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"]
    assert found["measurements"].keys() == MEASUREMENTS
    assert found["measurements"]["qtc_ms"].keys() == {"bazett", "fridericia", "framingham", "hodges"}
    assert {"code", "text"} <= found["rhythm"].keys()
    assert found["quality"].keys() == set(found["leads"])
    assert all({"usable", "reasons"} <= lead.keys() for lead in found["quality"].values())
    for waves in found["delineation"].values():
        assert waves.keys() == WAVES
        assert all(marks == sorted(set(marks)) for marks in waves.values())
    assert found["r_peaks"] == sorted(set(found["r_peaks"]))
    assert 0 <= found["r_peaks"][0] < found["r_peaks"][-1] < 10_000
    assert 40 < found["measurements"]["heart_rate_bpm"] < 180
    for statement in found["statements"]:
        assert {"code", "text", "severity", "evidence"} <= statement.keys()
        assert statement["text"].keys() == {"zh", "en"}
        assert statement["severity"] in ("normal", "borderline", "abnormal", "critical")


def test_ecg_as_text_says_that_it_is_a_hint(telemed, recording):
    done = telemed("ecg", recording)
    assert done.returncode == 0, done.stderr
    assert "提示，非诊断" in done.stdout
    assert re.search(r"heart_rate_bpm\s+\d+", done.stdout)


def test_ecg_drawn_is_svg_in_millimetres(telemed, recording, tmp_path):
    out = tmp_path / "ecg.svg"
    done = telemed("ecg", recording, "--svg", out)
    assert done.returncode == 0, done.stderr
    assert re.match(r"(<\?xml[^>]*>\s*)?<svg [^>]*width=\"[\d.]+mm\"", out.read_text(encoding="utf-8"))


def test_ecg_written_as_dicom_reads_back_the_same_and_passes_dcmtk(telemed, recording, tmp_path):
    out = tmp_path / "written.dcm"
    done = telemed("ecg", recording, "--dicom", out)
    assert done.returncode == 0, done.stderr
    assert dcmread(out).SOPClassUID == "1.2.840.10008.5.1.4.1.1.9.1.1"
    assert dcmtk.run("dcmdump", out).returncode == 0
    first, second = (json.loads(telemed("ecg", file, "--json").stdout) for file in (recording, out))
    assert second["leads"] == first["leads"]
    assert second["r_peaks"] == first["r_peaks"]
    assert second["measurements"]["qrs_duration_ms"] == first["measurements"]["qrs_duration_ms"]


def test_ecg_takes_from_the_command_line_what_a_file_does_not_say(telemed, tmp_path):
    file = tmp_path / "A1.mat"
    file.write_bytes(binary.matlab(counts(samples=5000)))
    says_one_sentence(telemed("ecg", file), r"A1\.mat carries no gain")
    done = telemed("ecg", file, "--gain-uv", "1000", "--rate", "500", "--leads", ",".join(LEADS), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["leads"] == list(LEADS)


def test_ecg_tells_what_the_machine_measured_itself(telemed, tmp_path):
    file = tmp_path / "a.xml"
    file.write_bytes(markup.muse(counts(samples=5000), EIGHT))
    device = json.loads(telemed("ecg", file, "--json").stdout)["device"]
    assert device == {
        "measurements": {"pr_interval_ms": 156, "qrs_duration_ms": 92, "qrs_axis_deg": 34},
        "statements": ["Sinus rhythm"],
    }


def test_an_output_that_cannot_be_written_is_named(telemed, recording, tmp_path):
    says_one_sentence(telemed("ecg", recording, "--svg", tmp_path / "absent" / "ecg.svg"), r"ecg\.svg")


def test_the_version_is_told_and_the_installed_command_is_this_one(telemed, server):
    assert re.match(r"telemed \d+\.\d+", telemed("--version").stdout)
    assert TELEMED.exists()
    assert is_answering(server.dicom_port)
