"""One lifespan: what is kept is opened, the workers, the node and the web start in order, and stop in order."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TextIO

import aiohttp.web

from consult.triage.reading import make_ready
from telemed import compose, keeping, seeding
from telemed.config import Address, Config
from telemed.kernel.errors import Unavailable
from web import keys
from web.application import runner_of

log = logging.getLogger("telemed")

#: How long associations and requests may take to finish once the server was told to stop.
GRACE_S = 8.0

#: Runs beside the server once it is ready, with the addresses it really listens on: the demo's sending.
Beside = Callable[[Address, Address], Awaitable[None]]


def serve(config: Config, beside: Beside | None = None) -> int:
    """Run the server until SIGTERM or SIGINT; 0 after an orderly stop.

    Raises
    ------
    Refused
        when another server runs on the same data.
    Unavailable
        when a port cannot be had or the database does not answer.
    """
    _log_to_stderr()
    config.data.mkdir(parents=True, exist_ok=True)
    with keeping.alone(config.data), keeping.kept(config) as store:
        if config.demo:
            seeding.seed(store.database, store.chronicle)
        interrupted = store.archive.recover()
        if interrupted:
            log.info("undone: %d stores that a crash interrupted", interrupted)
        asyncio.run(_run(config, compose.house(config, store), beside))
    return 0


async def _run(config: Config, house: compose.House, beside: Beside | None) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    runner = runner_of(house.application)
    await runner.setup()
    for worker in house.workers:
        worker.start()
    tasks: set[asyncio.Task[None]] = set()
    try:
        http = await _listen(runner, config.http)
        await asyncio.to_thread(house.node.start)
        dicom = Address(*house.node.address)
        gc.collect()
        gc.freeze()  # what is loaded stays: it need not be looked through again and again
        print(f"ready http=http://{http} dicom={config.aet}@{dicom}", flush=True)  # noqa: T201 - the one line that scripts wait for
        tasks.add(asyncio.ensure_future(_until_done(_warm(house))))
        if beside is not None:
            tasks.add(asyncio.ensure_future(_until_done(beside(http, dicom))))
        await stopping.wait()
    finally:
        log.info("stopping")
        for task in tasks:
            task.cancel()
        await asyncio.gather(asyncio.to_thread(house.node.stop, GRACE_S), runner.cleanup())
        # All at once: one that waits for news notices only after half a second. The witness writes down what they still note.
        witness, *others = house.workers
        await asyncio.gather(*(asyncio.to_thread(worker.stop) for worker in others))
        await asyncio.to_thread(witness.stop)
        house.confinement.close()
        house.analysing.close()
        log.info("stopped")


async def _warm(house: compose.House) -> None:
    """Load the ECG engine and the decoders into every worker, so that no patient's first recording or picture waits for that."""
    warming: tuple[Callable[[], object], ...] = (
        partial(make_ready, house.analysing),
        partial(make_ready, house.confinement),
        house.application[keys.IMAGING].warm,
    )
    for warm in warming:
        await asyncio.gather(*(asyncio.to_thread(warm) for _ in range(house.confinement.processes)))


async def _until_done(work: Awaitable[None]) -> None:
    try:
        await work
    except Exception:
        log.exception("the work beside the server ended early")


async def _listen(runner: aiohttp.web.AppRunner, wanted: Address) -> Address:
    site = aiohttp.web.TCPSite(runner, wanted.host, wanted.port)
    try:
        await site.start()
    except OSError as error:
        raise Unavailable(f"the web's address {wanted} cannot be used ({error.strerror}); choose another with --http") from error
    host, port = runner.addresses[0][:2]
    return Address(host, port)


class _Lines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname.lower(),
            "from": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def _log_to_stderr(stream: TextIO = sys.stderr) -> None:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Lines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    threading.excepthook = _log_ended_thread
    logging.captureWarnings(capture=True)
    # They name peers' data at INFO; what matters of it is in our own audit trail.
    for noisy in ("pynetdicom", "pydicom", "aioice", "aiortc", "alembic", "py.warnings"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    logging.getLogger("pynetdicom.dul").addFilter(_without_traceback)


def _without_traceback(record: logging.LogRecord) -> bool:
    """Keep what is said of a PDU that cannot be read, and not where in pynetdicom that was noticed."""
    record.exc_info = None
    return True


def _log_ended_thread(ended: threading.ExceptHookArgs) -> None:
    """Keep the log structured when a thread fails: pynetdicom's does at a command set that is none."""
    failure = ended.exc_value or RuntimeError("no exception given")
    log.error("a thread ended: %s", ended.thread, exc_info=failure)
