"""C-STORE side by side: dcmtk's storescp, Orthanc and ours, the same client, the same objects, one after the other in one run."""

from __future__ import annotations

import os
import re
import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from benchmarks.peers import PROGRAMS, Corpus, Peer, running

pytestmark = pytest.mark.benchmark

#: Kind, associations, objects of each, whether client and dcmtk servers have TCP_NODELAY.
SCENARIOS = [
    ("ct", 1, 150, True), ("ct", 4, 100, True), ("ct", 8, 60, True),
    ("ecg", 1, 150, True), ("ecg", 4, 100, True), ("ecg", 8, 60, True),
    ("dx", 1, 12, True), ("dx", 4, 6, True), ("dx", 8, 4, True),
    ("us", 1, 4, True), ("us", 4, 2, True),
    ("ct", 1, 40, False), ("ct", 4, 40, False), ("ct", 8, 30, False), ("ecg", 1, 40, False),
]  # fmt: skip
ROUNDS = 3
ROWS = re.compile(os.environ.get("TELEMED_BENCH_ROWS", ""))
#: Ours draws the pictures of a study once it has settled: not within the hour, while the next server is measured.
SETTINGS = {"TELEMED_QUIET_S": "3600"}


@dataclass
class Figure:
    """Objects a second as the client sees them, until all is filed, and the server's CPU seconds for 1000."""

    a_second: float
    a_second_filed: float
    cpu_s_per_1000: float


def measured(peer: Peer, corpus: Corpus, kind: str, associations: int, objects: int, *, nodelay: bool) -> Figure:
    folders = [corpus.batch(kind, objects) for _ in range(associations)]
    os.sync()
    environment = {name: value for name, value in os.environ.items() if name != "TCP_NODELAY"}
    if nodelay:
        environment["TCP_NODELAY"] = "1"
    cpu_before, begun = peer.cpu_s(), time.perf_counter()
    clients = [
        subprocess.Popen(
            ["/usr/bin/storescu", "-ll", "error", "+sd", "-aec", peer.called, "127.0.0.1", str(peer.port), str(folder)],
            env=environment,
        )
        for folder in folders
    ]
    assert [client.wait(300) for client in clients] == [0] * associations, f"{peer.name} refused some"
    wall = time.perf_counter() - begun
    cpu = peer.until_quiet() - cpu_before
    filed = max(time.perf_counter() - begun - 0.5, wall)
    count = associations * objects
    for folder in folders:
        corpus.empty(folder)
    return Figure(count / wall, count / filed, cpu / count * 1000)


def middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def test_storing_beside_the_peers(tmp_path):
    missing = [f"{name} ({program})" for name, program in PROGRAMS.items() if not program.exists()]
    present = [name for name, program in PROGRAMS.items() if program.exists()]
    if missing:
        print(f"\nnot measured, for they are not installed: {', '.join(missing)}")
    corpus = Corpus(tmp_path / "corpus")
    with ExitStack() as stack:
        tuned = {name: stack.enter_context(running(name, tmp_path / name, settings=SETTINGS)) for name in present}
        plain = {
            name: stack.enter_context(running(name, tmp_path / f"{name}-plain", nodelay=False, settings=SETTINGS))
            for name in present
        }
        print(
            f"\n{'scenario':24}"
            + "".join(f"{name + ' /s':>14}{'filed/s':>10}{'CPU s/1000':>12}" for name in present)
            + "   ratios"
        )
        for kind, associations, objects, nodelay in SCENARIOS:
            row = f"{kind} x{associations}{'' if nodelay else ' without TCP_NODELAY'}"
            if not ROWS.search(row):
                continue
            servers = tuned if nodelay else plain
            rounds = [
                {name: measured(peer, corpus, kind, associations, objects, nodelay=nodelay) for name, peer in servers.items()}
                for _ in range(ROUNDS)
            ]
            line = row[:24].ljust(24)
            for name in present:
                line += f"{middle([r[name].a_second for r in rounds]):14.0f}"
                line += f"{middle([r[name].a_second_filed for r in rounds]):10.0f}"
                line += f"{middle([r[name].cpu_s_per_1000 for r in rounds]):12.2f}"
            for name in present:
                if name != "ours":
                    ratio = middle([r["ours"].a_second / r[name].a_second for r in rounds])
                    line += f"   {ratio:.2f}x {name}"
            print(line, flush=True)
