"""Hostile work done elsewhere: a few worker processes with a memory limit and a deadline, killed and replaced when they overstep.

Anything that walks a stranger's bytes deeper than a bounded scan (pixel decoders, ECG files, whole data sets) runs here.
It is the sixth module of the kernel because imaging, the ECG intake and the web all need it, and none owns it.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import queue
import resource
import threading
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection as Pipe
from typing import Any

from telemed.kernel.errors import Invalid, TelemedError, Unavailable

log = logging.getLogger(__name__)

_METHOD = multiprocessing.get_context("spawn")

#: A new process, and loading the module of what it is to call: however long a busy machine takes, no input is to blame.
STARTS_WITHIN_S = 60


class Confinement:
    """*processes* workers of at most *memory_bytes* each; every call ends within *seconds*.

    Functions and their arguments travel by pickle: name a module-level function. A TelemedError it raises comes back
    as it is; any other exception, a crash, too much memory or too much time becomes Invalid: the input is to blame. The time
    counts from the moment at which the worker has loaded *function*'s module.
    *niceness* above 0 lets whoever else needs the processors go first.
    """

    def __init__(self, *, processes: int = 2, memory_bytes: int = 1 << 30, seconds: float = 20, niceness: int = 0) -> None:
        """Prepare the places; a worker is born at its first use."""
        self.processes = processes
        self._memory_bytes = memory_bytes
        self._niceness = niceness
        self._seconds = seconds
        self._idle: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(processes):
            self._idle.put(None)
        self._closed = threading.Event()

    def run(self, function: Callable[..., Any], *arguments: Any, seconds: float | None = None) -> Any:  # noqa: ANN401 - what the function returns
        """Call *function* in a worker and return what it returns; *seconds* it may take, where that is not the usual time.

        Raises
        ------
        Invalid
            when the work fails, takes too long or needs too much memory.
        Unavailable
            when every worker stays busy for as long as two calls may take, or one does not come to begin.
        """
        try:
            worker = self._idle.get(timeout=2 * self._seconds)
        except queue.Empty:
            raise Unavailable("every worker that reads files is busy; try again in a moment") from None
        try:
            if self._closed.is_set():
                raise Unavailable("the server is stopping")
            if worker is None or not worker.is_alive():
                worker = _Worker(self._memory_bytes, self._niceness)
            outcome = worker.call(function, arguments, self._seconds if seconds is None else seconds)
            if outcome is None:
                worker.kill()
                worker = None
                raise Invalid("reading it took too long or too much memory; it may be damaged or hostile", code="overstepped")
        finally:
            self._idle.put(worker)
        fine, value = outcome
        if fine:
            return value
        if isinstance(value, TelemedError):
            raise value
        raise Invalid(f"it cannot be read: {value}", code="unreadable")

    def close(self) -> None:
        """End every idle worker; busy ones end with their call."""
        self._closed.set()
        while True:
            try:
                worker = self._idle.get_nowait()
            except queue.Empty:
                return
            if worker is not None:
                worker.kill()


class _Worker:
    def __init__(self, memory_bytes: int, niceness: int) -> None:
        self._pipe, theirs = _METHOD.Pipe()
        self._process = _METHOD.Process(target=_serve, args=(theirs, memory_bytes, niceness), daemon=True)
        self._process.start()
        theirs.close()

    def is_alive(self) -> bool:
        return self._process.is_alive()

    def call(self, function: Callable[..., Any], arguments: tuple[Any, ...], seconds: float) -> tuple[bool, Any] | None:
        """Return (fine, value), or None when the worker died or ran out of time."""
        try:
            self._pipe.send((function, arguments))
            if not self._pipe.poll(STARTS_WITHIN_S):
                self.kill()
                return False, Unavailable("the machine is too busy to begin reading it; try again in a moment")
            self._pipe.recv()
            if self._pipe.poll(seconds):
                outcome: tuple[bool, Any] = self._pipe.recv()
                return outcome
        except (EOFError, OSError):
            pass
        log.warning("a confined call of %s was cut off", function.__qualname__)
        return None

    def kill(self) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()


def _serve(pipe: Pipe, memory_bytes: int, niceness: int) -> None:
    os.nice(niceness)
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("ignore")  # libraries' warnings quote the values they met, and so patients, on our stderr
    while True:
        try:
            function, arguments = pipe.recv()
        except EOFError:
            return
        pipe.send(None)  # its time begins
        try:
            outcome: tuple[bool, Any] = (True, function(*arguments))
        except TelemedError as error:
            outcome = (False, error)
        except MemoryError:
            return
        except BaseException as error:  # noqa: BLE001 - whatever a stranger's file provokes is answered, not raised
            outcome = (False, f"{type(error).__name__}: {str(error)[:300]}")
        pipe.send(outcome)
