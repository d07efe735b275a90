"""Faults of the store path. TELEMED_FAULT_RUNS says how often each is made to happen (`make faults`); unset: a few times.

Then each test also says how far it is, and leaves its row as a line of JSON in the file TELEMED_FAULT_ROWS.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest
from faults.account import COLUMNS, Account, Kept
from faults.disks import Disk, needs_mounts
from support.server import until

ROOT = Path(__file__).parent.parent.parent
LONE_NODE = Path(__file__).with_name("lone_node.py")
RUNS = int(os.environ.get("TELEMED_FAULT_RUNS", "0"))
ROWS = Path(os.environ.get("TELEMED_FAULT_ROWS", "faults.jsonl")).absolute()
_EVERY_S = 20
_ACCOUNTS = pytest.StashKey[list[Account]]()
_PASSED = pytest.StashKey[bool]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_ACCOUNTS] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    item.stash[_PASSED] = report.when == "call" and report.passed
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    accounts = config.stash[_ACCOUNTS]
    if not accounts:
        return
    terminalreporter.write_line(f"{'fault':64}" + "".join(f"{column:>13}" for column in COLUMNS))
    for account in accounts:
        values = (getattr(account, column) for column in COLUMNS)
        shown = "".join(f"{value:13.1f}" if isinstance(value, float) else f"{value:13}" for value in values)
        terminalreporter.write_line(f"{account.fault:64.64}{shown}")
    acknowledged, harm = sum(one.acknowledged for one in accounts), sum(one.harm for one in accounts)
    terminalreporter.write_line(f"{acknowledged} acknowledged in all, harm done to {harm}")
    if RUNS:
        terminalreporter.write_line(f"each row is a line of {ROWS}")


@pytest.fixture
def account(request: pytest.FixtureRequest) -> Iterator[Account]:
    """Where this test writes down what it saw; the table at the end shows it."""
    terminal, capturing = map(request.config.pluginmanager.get_plugin, ("terminalreporter", "capturemanager"))
    told = time.monotonic()

    def tell(account: Account) -> None:
        nonlocal told
        if RUNS and time.monotonic() > told + _EVERY_S:
            told = time.monotonic()
            with capturing.global_and_fixture_disabled():
                terminal.write_line(f"  {account.row()}")
                terminal.flush()

    account = Account(request.node.name.removeprefix("test_"), tell)
    request.config.stash[_ACCOUNTS].append(account)
    yield account
    account.seconds = time.monotonic() - account.begun
    if RUNS:
        with ROWS.open("a", encoding="utf-8") as rows:
            rows.write(account.row(passed=request.node.stash.get(_PASSED, False)) + "\n")


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


#: Begins a node with its arguments, its standard output and its log, and returns its process number.
Fork = Callable[[tuple[str | int | bool, ...], int, int], int]


@pytest.fixture(scope="session")
def fork() -> Iterator[Fork]:
    """A process that has loaded a node's modules and is nobody's node: each of ours is a fork of it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        process = subprocess.Popen([sys.executable, str(LONE_NODE)], stdin=theirs, env=environment)

    def begin(arguments: tuple[str | int | bool, ...], output: int, log: int) -> int:
        socket.send_fds(ours, [json.dumps(arguments).encode()], [output, log])
        return int(ours.recv(32))

    with ours:
        yield begin
    process.wait(10)


@dataclass
class Node:
    """A lone node, in a process group of its own; *under* is the command line of a tracer, but for the process it traces."""

    folder: Path
    database_url: str
    log: Path
    fork: Fork
    journal_bytes: int = 16 << 20
    under: tuple[str, ...] = ()
    port: int = 0
    ready_s: float = 0.0
    group: int = 0
    tracer: subprocess.Popen[bytes] | None = None
    output: IO[str] | None = None

    def start(self) -> bool:
        """Start it and wait until it accepts; tell whether it came so far."""
        begun = time.monotonic()
        read, write = os.pipe()
        self.output = os.fdopen(read, encoding="ascii")
        arguments = str(self.folder), self.database_url, self.journal_bytes, bool(self.under)
        with self.log.open("ab") as log, os.fdopen(write, "wb") as output:
            self.group = self.fork(arguments, output.fileno(), log.fileno())
            if self.under:
                self.tracer = subprocess.Popen([*self.under, "-p", str(self.group)], stdout=log, stderr=log)
        said = self.output.readline()
        self.port = int(said) if said.strip() else 0
        self.ready_s = time.monotonic() - begun
        return bool(self.port)

    def said(self) -> str:
        """Return what it has logged."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def processes(self) -> list[int]:
        """Return the process that has the archive, and then the receiving ones."""
        lines = {pid: _command_of(pid) for pid in _members(self.group)}
        ours = [pid for pid, line in lines.items() if b"lone_node" in line]
        return ours + [pid for pid, line in lines.items() if b"reception" in line]

    def peak_bytes(self) -> int:
        """Return the most memory that any of its processes has held."""
        status = (Path(f"/proc/{pid}/status").read_text(encoding="ascii") for pid in self.processes())
        return max(int(re.search(r"VmHWM:\s+(\d+)", one)[1]) << 10 for one in status)

    def kill(self) -> None:
        """End every process of it at once; once only, for their numbers are soon given to others."""
        group, self.group = self.group, 0
        if not group:
            return
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
        if self.tracer is not None:
            self.tracer.wait(10)
        until(lambda: not _members(group), 10, every=0.02)
        self.output.close()


def _members(group: int) -> list[int]:
    """Return the living processes of *group*; those that only wait for their parent to notice their end are not among them."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state, _, its_group, *_ = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            if state != "Z" and int(its_group) == group:
                found.append(int(folder.name))
    return sorted(found)


def _command_of(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


@pytest.fixture
def node_of(tmp_path: Path, fork: Fork) -> Iterator[Callable[..., Node]]:
    """Return a function that makes a Node before an archive, not yet started; all of them are killed at the end."""
    nodes: list[Node] = []

    def make(kept: Kept, **named) -> Node:
        node = Node(kept.folder, kept.database_url, tmp_path / "node.log", fork, **named)
        nodes.append(node)
        return node

    yield make
    for node in nodes:
        node.kill()
