"""What is empty, torn, nested, swollen or malicious: one sentence at every door, nothing kept, and the server lives."""

from __future__ import annotations

import re
import socket
import struct
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from conformance.bad_files import (
    BOMB,
    CLIMBING,
    CSV,
    CT_DATA_SET,
    CUTS,
    EMPTY,
    HUGE_WFDB,
    NESTED,
    NO_SENSITIVITY,
    REFUSED,
    TEXT,
    WFDB_HEADER,
    WFDB_SIGNALS,
    BadFile,
    identified,
    nested,
    part_10,
    shipped,
    swollen_image,
    swollen_waveform,
)
from conformance.raw_scu import (
    ABORT,
    ASSOCIATE_RQ,
    COMMAND,
    CT_IMAGE,
    DEFLATED,
    EXPLICIT,
    LAST,
    P_DATA,
    RawAssociation,
    associate_rq,
    pdu,
    pdv,
    store_rq,
)
from conformance.visits import clinic_of
from support import dcmtk
from support.server import until

#: What no sentence for a person holds: a traceback, an exception's name, a path of this machine.
INNARDS = re.compile(r"Traceback|File \"|\w+(Error|Exception)\b|(?<![\w.])/(work|home|usr|tmp|root|var|opt)/")

SWOLLEN_ECG = BadFile("swollen.dcm", swollen_waveform(), r"samples")
RECORDINGS = (*REFUSED, CSV, SWOLLEN_ECG, HUGE_WFDB)


def named(files):
    return pytest.mark.parametrize("bad", files, ids=lambda bad: bad.name)


def is_one_sentence(text: str, says: str) -> None:
    """Check that *text* is one line for a person that names what is wrong."""
    assert re.search(says, text), text
    assert not INNARDS.search(text), text
    assert "\n" not in text.strip(), text
    assert len(text) < 400, text


# --- C-STORE


def data_set_of(bad: BadFile) -> bytes:
    """Return what a C-STORE carries of the file: everything behind its File Meta Information."""
    if bad.content[128:132] != b"DICM":
        return bad.content
    if bad in CUTS:
        return bad.content[CT_DATA_SET:]
    meta_length = struct.unpack_from("<I", bad.content, 140)[0]
    return bad.content[144 + meta_length :]


@named(REFUSED)
@pytest.mark.usefixtures("nothing_is_kept")
def test_a_c_store_of_it_fails_with_a_status_and_a_comment(server, bad):
    with RawAssociation(server.dicom_port, syntax=DEFLATED if bad is BOMB else EXPLICIT) as association:
        answer = association.store(data_set_of(bad))
        assert answer.status & 0xF000 in (0xA000, 0xC000), hex(answer.status)
        assert re.search(r"empty|truncated|damaged|nested|inflate|malformed|gain", answer.comment), answer.comment
        assert not INNARDS.search(answer.comment)
        # The association is still good for the next object of the same modality.
        assert association.store(b"", "1.2.3").status == answer.status & 0xC000 | 0xC000


# Of the files storescu can open at all, it mends every other: it writes sequences anew, with announced lengths.
@named([CLIMBING, NO_SENSITIVITY])
@pytest.mark.usefixtures("nothing_is_kept")
def test_dcmtks_storescu_is_told_that_it_failed(server, tmp_path, bad):
    file = tmp_path / bad.name
    file.write_bytes(bad.content)
    sent = dcmtk.run("storescu", "-v", "-aec", "TELEMED", "127.0.0.1", server.dicom_port, file)
    said = sent.stdout + sent.stderr
    assert sent.returncode != 0
    assert dcmtk.acknowledged(said) == 0
    assert re.search(r"C000|CannotUnderstand|Cannot [Uu]nderstand", said), said


# --- PDUs


def hangs_up(connection: socket.socket, within: float = 8) -> bool:
    """Tell whether the other end answers with an A-ABORT, or ends the connection."""
    connection.settimeout(within)
    try:
        answer = connection.recv(1)
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    return answer in (b"", bytes([ABORT]))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(pdu(ASSOCIATE_RQ, b"", 0xFFFFFFFF) + bytes(1000), id="an association request of 4 GiB"),
        pytest.param(pdu(ASSOCIATE_RQ, associate_rq("TELEMED", "X", CT_IMAGE, EXPLICIT)[:80]), id="cut within an item"),
        pytest.param(pdu(ASSOCIATE_RQ, b"\0\1\0\0" + bytes(64) + b"\x10\0\xff\xff"), id="an item longer than its PDU"),
        pytest.param(pdu(P_DATA, pdv(b"x", 3)), id="data before any association"),
        pytest.param(pdu(0x77, b"what is this"), id="a PDU of no known type"),
        pytest.param(pdu(0x06, associate_rq("TELEMED", "X", CT_IMAGE, EXPLICIT)), id="a request by another type's name"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: modality\r\n\r\n", id="HTTP at the DICOM port"),
    ],
)
@pytest.mark.usefixtures("nothing_is_kept")
def test_a_malformed_association_request_is_hung_up_on(server, content):
    with socket.create_connection(("127.0.0.1", server.dicom_port), timeout=10) as connection:
        connection.sendall(content)
        assert hangs_up(connection)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(pdu(P_DATA, b"", 0xFFFFFFF0) + bytes(1000), id="a PDU of 4 GiB"),
        pytest.param(pdu(P_DATA, b""), id="a PDU without an item"),
        pytest.param(pdu(P_DATA, pdv(b"12345678", 3, 0x7FFFFFFF)), id="a PDV longer than its PDU"),
        pytest.param(pdu(P_DATA, pdv(b"12345678", 3, 1)), id="a PDV too short for its own head"),
        pytest.param(pdu(P_DATA, struct.pack(">IBB", 10, 99, 3) + b"12345678"), id="a context that was never agreed"),
        pytest.param(pdu(P_DATA, pdv(b"no command set at all", 3)), id="a command that is none"),
    ],
)
@pytest.mark.usefixtures("nothing_is_kept")
def test_a_wrong_length_inside_an_association_ends_it(server, content):
    with RawAssociation(server.dicom_port) as association:
        association.socket.sendall(content)
        assert hangs_up(association.socket)


@pytest.mark.usefixtures("nothing_is_kept")
def test_a_pdu_that_never_ends_keeps_nobody_waiting(server):
    with RawAssociation(server.dicom_port) as stalled, RawAssociation(server.dicom_port) as other:
        stalled.socket.sendall(pdu(P_DATA, b"\0\0", 5000))
        begun = time.monotonic()
        assert other.store(b"").status == 0xC000
        assert time.monotonic() - begun < 5


@pytest.mark.usefixtures("nothing_is_kept")
@pytest.mark.parametrize("cut", [1, 7, 1000])
def test_messages_are_told_apart_however_their_bytes_are_cut(server, cut):
    command = store_rq(CT_IMAGE, "1.2.3")
    in_three = pdu(P_DATA, pdv(command, COMMAND | LAST)) + pdu(P_DATA, pdv(bytes(300), 0)) + pdu(P_DATA, pdv(bytes(20), LAST))
    in_one = pdu(P_DATA, pdv(command[:40], COMMAND) + pdv(command[40:], COMMAND | LAST) + pdv(bytes(9), 0) + pdv(b"", LAST))
    sent = in_three + in_one + in_three
    with RawAssociation(server.dicom_port) as association:
        association.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(sent), cut):
            association.socket.sendall(sent[at : at + cut])
        assert [association.receive()[0] for _ in range(3)] == [P_DATA] * 3
        assert association.echo().status == 0


@pytest.mark.usefixtures("nothing_is_kept")
def test_an_abort_within_an_object_ends_the_association(server):
    with RawAssociation(server.dicom_port) as association:
        begun = pdu(P_DATA, pdv(store_rq(CT_IMAGE, "1.2.3"), COMMAND | LAST)) + pdu(P_DATA, pdv(bytes(300), 0))
        association.socket.sendall(begun + pdu(ABORT, bytes(4)))
        assert hangs_up(association.socket)


# --- STOW-RS


def stow(server, *contents: bytes):
    boundary = uuid.uuid4().hex
    body = b"".join(
        f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode() + content + b"\r\n" for content in contents
    )
    return clinic_of(server).ask(
        "POST",
        "/dicom-web/studies",
        body + f"--{boundary}--\r\n".encode(),
        {
            "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
            "Accept": "application/dicom+json",
        },
    )


@named(REFUSED)
@pytest.mark.usefixtures("nothing_is_kept")
def test_stow_refuses_it_with_a_reason_in_words(server, bad):
    status, answer, _ = stow(server, bad.content)
    assert 400 <= status < 500, answer
    (failed,) = answer["00081198"]["Value"]
    assert failed["00081197"]["Value"][0] & 0xF000 in (0xA000, 0xC000)
    is_one_sentence(failed["00000902"]["Value"][0], bad.says)


@pytest.mark.usefixtures("nothing_is_kept")
def test_a_stow_body_that_ends_early_is_said_to_have(server):
    status, answer, _ = clinic_of(server).ask(
        "POST",
        "/dicom-web/studies",
        b"--b\r\nContent-Type: application/dicom\r\n\r\n" + shipped("CT_small.dcm")[:9000],
        {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'},
    )
    assert 400 <= status < 500
    assert "ended before" in str(answer), answer


# --- POST /api/v1/recordings


def upload(server, bad: BadFile):
    return clinic_of(server).ask(
        "POST", "/api/v1/recordings", bad.content, {"Content-Type": "application/octet-stream", "X-Filename": bad.name}
    )


def upload_form(server, *files: tuple[str, bytes]):
    boundary = uuid.uuid4().hex
    head = '--{}\r\nContent-Disposition: form-data; name="file"; filename="{}"\r\n\r\n'
    body = b"".join(head.format(boundary, name).encode() + content + b"\r\n" for name, content in files)
    return clinic_of(server).ask(
        "POST",
        "/api/v1/recordings",
        body + f"--{boundary}--\r\n".encode(),
        {"Content-Type": f"multipart/form-data; boundary={boundary}"},
    )


def is_a_problem(answered, says: str) -> None:
    """Check that the answer is a problem of RFC 9457 whose detail names what is wrong."""
    status, problem, headers = answered
    assert 400 <= status < 500, (status, problem)
    assert headers["Content-Type"].startswith("application/problem+json")
    is_one_sentence(problem["detail"], says)


@named(RECORDINGS)
@pytest.mark.usefixtures("nothing_is_kept")
def test_an_upload_of_it_is_answered_by_a_problem_that_names_it(server, bad):
    is_a_problem(upload(server, bad), rf"{bad.says}|no ECG|no waveform|not readable|is empty")


@pytest.mark.usefixtures("nothing_is_kept")
def test_a_wfdb_record_without_gain_is_refused_for_that(server):
    is_a_problem(upload_form(server, ("r.hea", WFDB_HEADER), ("r.dat", WFDB_SIGNALS)), r"carries no gain")


@pytest.mark.usefixtures("nothing_is_kept")
def test_a_wfdb_header_without_its_signals_is_refused_for_that(server):
    is_a_problem(upload_form(server, ("r.hea", WFDB_HEADER.replace(b"16 0", b"16 1000"))), r"r\.dat")


@pytest.mark.usefixtures("nothing_is_kept")
def test_an_empty_form_and_a_broken_one_are_refused(server):
    is_a_problem(upload_form(server), r"empty|not readable")
    broken = {"Content-Type": "multipart/form-data; boundary=b"}
    is_a_problem(clinic_of(server).ask("POST", "/api/v1/recordings", b"no boundary here", broken), r"empty|not readable")


@pytest.mark.usefixtures("nothing_is_kept")
def test_a_file_name_that_climbs_is_only_a_name(server):
    climbing = BadFile("..%2F..%2Fetc%2Fpasswd", TEXT.content, "no ECG")
    is_a_problem(upload(server, climbing), TEXT.says)


def test_a_gain_that_is_declared_beside_the_file_is_taken(server):
    """The other side of the refusals: the same file with what it lacks is read."""
    status, kept, _ = clinic_of(server).ask(
        "POST",
        "/api/v1/recordings?gain_uv=2.5",
        CSV.content,
        {"X-Filename": CSV.name, "Content-Type": "application/octet-stream"},
    )
    assert status == 201, kept
    assert kept["analysis"]["leads"][:2] == ["I", "II"]


# --- What is well-formed and still hostile: it is kept as it came, and looking at it hurts nobody


def looked_at(server, study: str) -> dict[str, tuple[int, object]]:
    """Ask for everything that can be asked of one instance, and return the answers by path."""
    client = clinic_of(server)
    instance = f"/dicom-web/studies/{study}/series/{study}.1/instances/{study}.1.1"
    paths = (
        f"/api/v1/studies/{study}",
        f"{instance}/metadata",
        f"{instance}/frames/1",
        f"{instance}/rendered",
        f"{instance}/thumbnail",
        f"/api/v1/recordings/{study}.1.1/analysis",
        f"/api/v1/recordings/{study}.1.1/waveform",
    )
    answers = {}
    for path in paths:
        begun = time.monotonic()
        status, answer, _ = client.ask("GET", path)
        assert status < 500, (path, status, answer)
        assert time.monotonic() - begun < 30, path
        if status >= 400:
            is_one_sentence(answer["detail"], r"\w")
        answers[path.rpartition("/")[2]] = status, answer
    return answers


def test_an_image_that_announces_gigapixels_is_kept_and_never_inflated(server):
    _, answer, _ = stow(server, swollen_image("1.2.21"))
    assert "00081198" not in answer, answer
    answers = looked_at(server, "1.2.21")
    assert answers["rendered"][0] >= 400
    assert answers["1"][0] in (200, 400, 404, 406, 409, 422)
    assert resident_bytes(server) < 1 << 30


def test_sequences_nested_with_announced_lengths_break_no_reader(server):
    stow(server, part_10(identified("1.2.22.1.1", nested(1200, announced=True), study="1.2.22")))
    looked_at(server, "1.2.22")


def test_a_uid_that_climbs_finds_nothing_outside(server):
    client = clinic_of(server)
    for path in ("/dicom-web/studies/..%2F..%2Fetc", "/api/v1/studies/..%2F..%2F..%2Fetc%2Fpasswd"):
        status, answer, _ = client.ask("GET", path)
        assert status in (400, 404), (path, status, answer)
    for path in (
        "/..%2f..%2f..%2f..%2fetc/passwd",
        "/assets/..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/assets/%2e%2e/%2e%2e/keys.py",
    ):
        _, answer, _ = client.ask("GET", path, raw=True)
        assert b"root:" not in answer
        assert b"AppKey" not in answer


def resident_bytes(server) -> int:
    """Return how much memory the server's own process holds."""
    status = Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) << 10


# --- The command line


@pytest.mark.parametrize("bad", [EMPTY, TEXT, CUTS[3], NESTED, CSV, NO_SENSITIVITY, SWOLLEN_ECG], ids=lambda bad: bad.name)
def test_telemed_ecg_names_what_is_wrong_and_exits_2(telemed, tmp_path, bad):
    file = tmp_path / bad.name
    file.write_bytes(bad.content)
    done = telemed("ecg", file, "--json")
    assert done.returncode == 2
    assert done.stdout == ""
    is_one_sentence(done.stderr.replace(str(file), bad.name), rf"{bad.says}|no ECG|no waveform|not readable|is empty")


def test_telemed_ecg_says_that_a_header_has_no_gain(telemed, tmp_path):
    (tmp_path / "r.hea").write_bytes(WFDB_HEADER)
    (tmp_path / "r.dat").write_bytes(WFDB_SIGNALS)
    done = telemed("ecg", tmp_path / "r.hea")
    assert (done.returncode, done.stdout) == (2, "")
    is_one_sentence(done.stderr.replace(str(tmp_path), ""), r"r\.hea.*carries no gain")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Every refused file, beside one good one."""
    made = tmp_path_factory.mktemp("sent")
    for bad in REFUSED:
        (made / bad.name).write_bytes(bad.content)
    return made


def names_each(stderr: str) -> None:
    """Check that each refused file has one line that says what is wrong with it."""
    for bad in REFUSED:
        (line,) = [line for line in stderr.splitlines() if f"{bad.name}: " in line]
        is_one_sentence(line.partition(f"{bad.name}: ")[2], rf"{bad.says}|not a DICOM|no ECG|no waveform|is empty|refused it")


def names_each_and_offers_it_once(send: Callable[[], subprocess.CompletedProcess[str]]) -> None:
    """Check that each refused file is named by the first run, and by the next one as refused before."""
    for run in "first", "next":
        done = send()
        assert done.returncode == 1, done.stderr
        assert "Traceback" not in done.stderr
        names_each(done.stderr)
        assert done.stderr.count("refused before: ") == (0 if run == "first" else len(REFUSED)), done.stderr


@pytest.mark.usefixtures("nothing_is_kept")
def test_telemed_send_names_every_file_a_node_does_not_take(server, telemed, folder):
    names_each_and_offers_it_once(lambda: telemed("send", folder, "--to", f"TELEMED@127.0.0.1:{server.dicom_port}"))


@pytest.mark.usefixtures("nothing_is_kept")
def test_telemed_send_names_every_file_a_server_does_not_take(server, telemed, folder):
    token = telemed("token", "create", "clinic", "--data", server.data).stdout.strip()
    names_each_and_offers_it_once(lambda: telemed("send", folder, "--to", server.http, TELEMED_TOKEN=token))


@pytest.mark.usefixtures("nothing_is_kept")
def test_telemed_send_needs_a_token_a_destination_and_something_to_send(server, telemed, folder, tmp_path):
    for arguments, says in (
        ((folder, "--to", server.http), "TELEMED_TOKEN"),
        ((folder, "--to", "nowhere"), "AET@HOST:PORT"),
        ((tmp_path / "absent", "--to", "A@127.0.0.1:1"), "no such file"),
        ((tmp_path, "--to", "A@127.0.0.1:1"), "nothing to send"),
    ):
        done = telemed("send", *arguments, TELEMED_TOKEN="")
        assert done.returncode == 2
        is_one_sentence(done.stderr.replace(str(tmp_path), "").replace(str(folder), ""), says)


# --- And after all of it


def test_a_good_image_is_still_taken_and_the_log_is_structured_to_its_end(server, tmp_path):
    (tmp_path / "good.dcm").write_bytes(shipped("CT_small.dcm"))
    sent = dcmtk.storescu(server.dicom_port, tmp_path)
    assert dcmtk.acknowledged(sent.stdout + sent.stderr) == 1
    assert until(lambda: len(clinic_of(server).get("/api/v1/studies?modality=CT")["items"]) >= 1)
    assert not [line for line in server.log if not line.startswith("{")]
    # pynetdicom tells of a broken PDU with its own traceback; one of ours would be a fault nobody foresaw.
    assert not [line for line in server.log if "Traceback" in line and "pynetdicom" not in line]
