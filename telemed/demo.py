"""`telemed demo`: a server of one's own with sample institutions and people, and sample studies sent to it by C-STORE."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pydicom.data import get_testdata_file

import sample_data
from dicom_node.peers import Outcome, Peer, send
from telemed import compose, server
from telemed.config import Address, Config
from telemed.kernel.database import Database
from telemed.seeding import CLINIC_AE, PASSWORD, USERS

#: Real files that pydicom ships for its own tests, beside our synthetic ones.
REAL = ("CT_small.dcm", "MR_small.dcm", "waveform_ecg.dcm", "examples_rgb_color.dcm", "examples_ybr_color.dcm", "US1_J2KR.dcm")

GREETING = """
  telemed demo 演示
  browser 浏览器       {http}
  modality 设备        {dicom}

  accounts 账号, all with the password 密码 {password}
  {accounts}

  Ctrl+C stops it; `make run` starts it again with everything kept.
"""


def run(config: Config) -> int:
    """Serve, send the sample studies to the server the first time, and say how to come in."""

    async def beside(http: Address, dicom: Address) -> None:
        if not await asyncio.to_thread(_has_studies, config):
            await asyncio.to_thread(_send_samples, config, dicom)
        await asyncio.to_thread(_greet, config, http, dicom)

    return server.serve(replace(config, demo=True), beside)


def files() -> Iterator[Path]:
    """Yield every sample: ours, then pydicom's."""
    yield from sample_data.studies()
    for name in REAL:
        found = get_testdata_file(name, download=False)
        if found is not None:
            yield Path(str(found))


def _has_studies(config: Config) -> bool:
    database = Database(config.database_url)
    try:
        with database.reading() as db:
            return compose.has_instances(db)
    finally:
        database.close()


def _send_samples(config: Config, dicom: Address) -> Outcome:
    samples = list(files())
    peer = Peer(config.aet, "127.0.0.1" if dicom.host in ("0.0.0.0", "::") else dicom.host, dicom.port)  # noqa: S104 - compared, not bound

    def progress(done: int, total: int, path: Path) -> None:
        filled = 30 * done // total
        _say(f"\rsending sample studies [{'#' * filled}{'.' * (30 - filled)}] {done}/{total} {path.name[:32]:<32}", end="")

    outcome = send(samples, peer, progress, calling_aet=CLINIC_AE)
    _say("")
    for failure in outcome.failures:
        _say(f"{failure.path.name}: {failure.reason}")
    return outcome


def _greet(config: Config, http: Address, dicom: Address) -> None:
    accounts = "\n  ".join(f"{user.username:<20} {user.name}" for user in USERS)
    _say(GREETING.format(http=f"http://{http}", dicom=f"{config.aet}@{dicom}", accounts=accounts, password=PASSWORD))


def _say(text: str, end: str = "\n") -> None:
    print(text, end=end, file=sys.stderr, flush=True)  # noqa: T201 - the demo talks to whoever started it
