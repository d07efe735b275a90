"""Death and full disks while objects arrive: what was acknowledged is there, unaltered and once; nothing else is half there."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from benchmarks.peers import Corpus
from support import dcmtk
from support.server import until

from dicom_node.archive.blobs import Blobs
from dicom_node.archive.part10 import read_preface
from dicom_node.archive.tables import instance_table
from dicom_node.archive.verification import differences
from telemed.kernel.database import Database

ROOT = Path(__file__).parent.parent.parent
SENT = re.compile(r"Sending file: (\S+)|Received Store Response \((\w+)")


@contextmanager
def lone_node(folder: Path, journal_bytes: int = 16 << 20):
    command = [sys.executable, str(Path(__file__).with_name("lone_node.py")), str(folder), str(journal_bytes)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True, env=environment) as process:
        try:
            yield process, int(process.stdout.readline())
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def acknowledged_of(output: str) -> set[str]:
    found, under_way = set(), ""
    for name, answer in SENT.findall(output):
        if name:
            under_way = name
        elif answer == "Success":
            found.add(under_way)
    return found


def send(port: int, *folders: Path) -> list[str]:
    """Send each folder by an association of its own and return what each storescu said."""
    said = [""] * len(folders)

    def one(number: int) -> None:
        done = dcmtk.run("storescu", "-v", "-nh", "+sd", "-aec", "TELEMED", "127.0.0.1", port, folders[number])
        said[number] = done.stdout + done.stderr

    threads = [threading.Thread(target=one, args=(number,)) for number in range(len(folders))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return said


def data_set_of(file: Path) -> bytes:
    content = memoryview(file.read_bytes())
    return bytes(content[read_preface(content).length :])


def is_kept_once(folder: Path, acknowledged: set[str], files: dict[str, bytes]) -> int:
    """Check rows and files against what was acknowledged; return how many objects are kept."""
    database, blobs = Database(f"sqlite:///{folder / 'telemed.sqlite'}"), Blobs(folder / "disk" / "blobs")
    assert list(differences(database, blobs)) == []
    with database.reading() as db:
        digests = db.execute(instance_table.select()).all()
    kept = [data_set_of(blobs.path(row.digest)) for row in digests]
    database.close()
    assert len(kept) == len(set(kept))
    assert {files[name] for name in acknowledged} <= set(kept)
    assert set(kept) <= set(files.values())
    return len(kept)


def everything_of(*folders: Path) -> dict[str, bytes]:
    return {str(file): data_set_of(file) for folder in folders for file in folder.iterdir()}


@pytest.mark.parametrize("victim", ["everything", "a receiver"])
def test_what_was_acknowledged_survives_a_death_at_any_moment(tmp_path, victim):
    corpus, choice = Corpus(tmp_path / "corpus"), random.Random(victim)
    acknowledged: set[str] = set()
    files: dict[str, bytes] = {}
    for _ in range(4):
        folders = [corpus.batch("ecg", 30) for _ in range(3)]
        files |= everything_of(*folders)
        with lone_node(tmp_path) as (process, port):
            said: list[str] = []
            sending = threading.Thread(target=lambda: said.extend(send(port, *folders)))  # noqa: B023 - joined below
            sending.start()
            time.sleep(choice.uniform(0.05, 0.9))
            if victim == "everything":
                os.killpg(process.pid, signal.SIGKILL)
            else:
                receivers = subprocess.run(["/usr/bin/pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True)
                os.kill(int(receivers.stdout.split()[0]), signal.SIGKILL)
            sending.join(60)
            acknowledged |= set().union(*map(acknowledged_of, said))
    assert acknowledged
    with lone_node(tmp_path) as (_, port):  # what is in the journal is filed before it listens
        is_kept_once(tmp_path, acknowledged, files)
        for folder in {Path(name).parent for name in files}:
            acknowledged |= acknowledged_of(send(port, folder)[0])
        assert acknowledged == files.keys()
        until(lambda: is_kept_once(tmp_path, acknowledged, files) == len(files))


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 24 MB for the archive."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", str(disk)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("only root may mount the small disk that this test fills")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_refuses_at_once_and_resumes_when_there_is_room(tmp_path, small_disk):
    folders = [Corpus(tmp_path / "corpus").batch("ct", 60)]
    files = everything_of(*folders)
    with lone_node(tmp_path, 16 << 20) as (_, port):
        [said] = send(port, *folders)
        acknowledged = acknowledged_of(said)
        assert 0 < len(acknowledged) < len(files)
        assert re.search("OutOfResources|A700|Refused", said), said[-500:]
        subprocess.run(["mount", "-o", "remount,size=200m", str(small_disk)], check=True)
        until(lambda: acknowledged_of(send(port, *folders)[0]) == files.keys())
        until(lambda: is_kept_once(tmp_path, set(files), files) == len(files))
