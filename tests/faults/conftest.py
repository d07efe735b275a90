"""Faults of the store path. TELEMED_FAULT_RUNS says how often each is made to happen (`make faults`); unset: a few times."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from faults.account import Account
from faults.disks import Disk, needs_mounts
from support.server import until

ROOT = Path(__file__).parent.parent.parent
RUNS = int(os.environ.get("TELEMED_FAULT_RUNS", "0"))
_ACCOUNTS = pytest.StashKey[list[Account]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_ACCOUNTS] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    accounts = config.stash[_ACCOUNTS]
    if not accounts:
        return
    columns = ("runs", "acknowledged", "refused", "lost", "altered", "torn", "doubled", "ready_s", "refused_s")
    terminalreporter.write_line(f"{'fault':64}" + "".join(f"{column:>13}" for column in columns))
    for account in accounts:
        values = (getattr(account, column) for column in columns)
        shown = "".join(f"{value:13.1f}" if isinstance(value, float) else f"{value:13}" for value in values)
        terminalreporter.write_line(f"{account.fault:64.64}{shown}")


@pytest.fixture
def account(request: pytest.FixtureRequest) -> Account:
    """Where this test writes down what it saw; the table at the end shows it."""
    account = Account(request.node.name.removeprefix("test_"))
    request.config.stash[_ACCOUNTS].append(account)
    return account


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """The same chance every time for the same test."""
    return random.Random(request.node.name)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    needs_mounts()
    disk = Disk(tmp_path)
    yield disk
    disk.remove()


@dataclass
class Node:
    """A lone node, in a process group of its own; *under* is put before its command line."""

    folder: Path
    database_url: str
    log: Path
    journal_bytes: int = 16 << 20
    under: tuple[str, ...] = ()
    port: int = 0
    ready_s: float = 0.0
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> bool:
        """Start it and wait until it accepts; tell whether it came so far."""
        command = [*self.under, sys.executable, str(Path(__file__).with_name("lone_node.py")), str(self.folder)]
        command += [self.database_url, str(self.journal_bytes)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        begun = time.monotonic()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, start_new_session=True, env=environment)
        said = self.process.stdout.readline()
        self.port = int(said) if said.strip() else 0
        self.ready_s = time.monotonic() - begun
        return bool(self.port)

    def said(self) -> str:
        """Return what it has logged."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def processes(self) -> list[int]:
        """Return the process that has the archive, and then the receiving ones."""
        pids = _members(self.process.pid)
        lines = {pid: _command_of(pid) for pid in pids}
        ours = [pid for pid in pids if b"lone_node" in lines[pid] and b"strace" not in lines[pid]]
        return ours + [pid for pid in pids if b"reception" in lines[pid]]

    def peak_bytes(self) -> int:
        """Return the most memory that any of its processes has held."""
        status = (Path(f"/proc/{pid}/status").read_text(encoding="ascii") for pid in self.processes())
        return max(int(re.search(r"VmHWM:\s+(\d+)", one)[1]) << 10 for one in status)

    def kill(self) -> None:
        """End every process of it at once; once only, for their numbers are soon given to others."""
        process, self.process = self.process, None
        if process is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)
            process.stdout.close()
            until(lambda: not _members(process.pid), 10)


def _members(group: int) -> list[int]:
    found = subprocess.run(["/usr/bin/pgrep", "-g", str(group)], capture_output=True, text=True, check=False)
    return sorted(map(int, found.stdout.split()))


def _command_of(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


@pytest.fixture
def node_of(tmp_path: Path) -> Iterator[object]:
    """Return a function that makes a Node, not yet started; all of them are killed at the end."""
    nodes: list[Node] = []

    def make(folder: Path, database_url: str = "", **named) -> Node:
        node = Node(folder, database_url or f"sqlite:///{folder / 'telemed.sqlite'}", tmp_path / "node.log", **named)
        nodes.append(node)
        return node

    yield make
    for node in nodes:
        node.kill()
