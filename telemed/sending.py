"""`telemed send`: files, folders, DICOMDIRs, zip archives and ECG files to a DICOM node or to a telemed server's address."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from dicom_node.peers import Peer, RefusedForGood, deliver, parcel_of
from dicom_node.tls import client_context
from telemed import uploading
from telemed.answered import Answered, default_folder, digest_of
from telemed.gathering import gathered
from telemed.kernel.errors import Invalid

PART_10 = (128, b"DICM")
#: What was not taken is offered again after so many seconds each.
PAUSES_S = (1.0, 5.0)
MOST_PARALLEL = 32

#: Sends files over one connection and yields each with why it failed (`RefusedForGood` when it always will), an empty text when
#: it was acknowledged.
Way = Callable[[Sequence[Path]], Iterator[tuple[Path, str]]]


@dataclass(frozen=True)
class Tls:
    """DICOM over TLS: the authority (PEM) that signed the peer's certificate, and our certificate and key."""

    ca: Path
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True)
class Sending:
    """How to send: by which AE title, over how many associations at once, and *again* what was answered for good before.

    With *again_refused* only what was refused then is offered again.
    """

    calling: str = "TELEMED_SCU"
    parallel: int = 4
    tls: Tls | None = None
    again: bool = False
    again_refused: bool = False
    quiet: bool = False
    #: Where it is kept what each destination has answered.
    state: Path = field(default_factory=default_folder)


def send(paths: Sequence[Path], to: str, how: Sending) -> int:
    """Send everything under *paths*, naming what failed and why; 0 when all of it arrived, 1 when some did not.

    Raises
    ------
    Invalid
        when a path does not exist, holds nothing to send, or *to* is no destination.
    """
    if not 1 <= how.parallel <= MOST_PARALLEL:
        raise Invalid(f"--parallel is a number from 1 to {MOST_PARALLEL}")
    by_http = urlsplit(to).scheme in ("http", "https")
    way = uploading.way_to(to, os.environ.get("TELEMED_TOKEN", "")) if by_http else _way_to(Peer.parse(to), how)
    with tempfile.TemporaryDirectory(prefix="telemed-send-") as scratch, Answered(to, how.state) as answered:
        names = {item.path: item.name for item in gathered(paths, Path(scratch))}
        if not names:
            raise Invalid(f"{', '.join(map(str, paths))}: there is nothing to send")
        round_ = _Round(names, answered, how)
        round_.run(way, uploading.without_signals(names) if by_http else list(names))
        return round_.end()


def _way_to(peer: Peer, how: Sending) -> Way:
    """Return the way to a DICOM node: C-STORE over one association."""
    if how.tls is not None:
        peer = replace(peer, tls=client_context(how.tls.ca, how.tls.certificate, how.tls.key))

    def over_an_association(files: Sequence[Path]) -> Iterator[tuple[Path, str]]:
        parcels = []
        for file in files:
            try:
                if is_dicom(file):
                    parcels.append(parcel_of(file))
                else:
                    yield (
                        file,
                        RefusedForGood("is not a DICOM file; send ECG files to the server's address: --to http://HOST:PORT"),
                    )
            except Invalid as error:
                yield file, RefusedForGood(error.sentence)
            except OSError as error:
                yield file, f"it cannot be read: {error.strerror or error}"
        for parcel, reason in deliver(parcels, peer, how.calling):
            yield parcel.path, reason

    return over_an_association


def is_dicom(file: Path) -> bool:
    """Tell whether *file* is a DICOM file with a preamble (PS3.10 section 7.1)."""
    offset, mark = PART_10
    with file.open("rb") as opened:
        opened.seek(offset)
        return opened.read(len(mark)) == mark


class _Round:
    """The files that people named, and what became of each."""

    def __init__(self, names: dict[Path, str], answered: Answered, how: Sending) -> None:
        self._names, self._answered, self._how = names, answered, how
        self._failed: dict[Path, str] = {}
        self._refused_before: dict[Path, str] = {}
        self._digests: dict[Path, str] = {}
        self._sent = self._before = 0
        self._lock, self._stopping = threading.Lock(), threading.Event()
        self._bar = _Bar(shown=not how.quiet)

    def run(self, way: Way, files: Sequence[Path]) -> None:
        """Send *files*, and offer what was not taken again after each pause, unless it was refused for good."""
        self._bar.total = len(files)
        for pause in (0.0, *PAUSES_S):
            left = [file for file in files if not pause or self._may_yet_arrive(file)]
            if left:
                time.sleep(pause)
                self._spread(way, left)

    def _may_yet_arrive(self, file: Path) -> bool:
        return file in self._failed and not isinstance(self._failed[file], RefusedForGood)

    def _spread(self, way: Way, files: Sequence[Path]) -> None:
        with ThreadPoolExecutor(self._how.parallel, thread_name_prefix="send") as threads:
            shares = [files[first :: self._how.parallel] for first in range(self._how.parallel)]
            try:
                for done in as_completed([threads.submit(self._send, way, share) for share in shares if share]):
                    done.result()
            except BaseException:
                self._stopping.set()
                raise

    def _send(self, way: Way, share: Sequence[Path]) -> None:
        for file, reason in way([file for file in share if not self._is_known(file)]):
            with self._lock:
                self._note(file, reason)
                self._bar.show(self._sent + self._before, self._names[file])
            if self._stopping.is_set():
                return

    def _note(self, file: Path, reason: str) -> None:
        """Note what became of *file*, and remember what was answered for good."""
        if not reason:
            self._failed.pop(file, None)
            self._sent += 1
            self._answered.acknowledge(self._digests[file])
            return
        self._failed[file] = reason
        if isinstance(reason, RefusedForGood) and self._digests[file]:
            self._answered.refuse(self._digests[file], reason)

    def _is_known(self, file: Path) -> bool:
        """Tell whether *file* was answered for good before and is not to be sent again; count it then."""
        if file not in self._digests:
            try:
                self._digests[file] = digest_of([file, *uploading.signals_of(file)])
            except OSError:
                self._digests[file] = ""  # sending it will say why
        refusal = self._answered.refusal(self._digests[file])
        if refusal is None or self._how.again or (refusal and self._how.again_refused):
            return False
        with self._lock:
            self._failed.pop(file, None)
            if refusal:
                self._refused_before[file] = refusal
            else:
                self._before += 1
        return True

    def end(self) -> int:
        """Say how it went, and return the exit status."""
        already = f", {self._before} of them before (send those too: --again)" if self._before else ""
        refused = (
            f", {len(self._refused_before)} refused before (offer them again: --again-refused)" if self._refused_before else ""
        )
        self._bar.end(f"{self._sent + self._before} of {self._bar.total} arrived{already}{refused}")
        not_there = self._failed | {file: f"refused before: {reason}" for file, reason in self._refused_before.items()}
        for file, reason in sorted(not_there.items()):
            print(f"{self._names[file]}: {reason}", file=sys.stderr)  # noqa: T201 - what a command answers
        if not not_there:
            self._answered.forget()
        return 1 if not_there else 0


class _Bar:
    """A line on stderr that grows; one line at the end where stderr is no terminal."""

    def __init__(self, *, shown: bool) -> None:
        self.total = 0
        self._shown = shown
        self._begun = self._last = time.monotonic()

    def show(self, done: int, name: str) -> None:
        """Show that so many are done, *name* the last of them."""
        now = time.monotonic()
        if not self._shown or not sys.stderr.isatty() or (now - self._last < 0.1 and done < self.total):
            return
        self._last = now
        filled = 30 * done // max(self.total, 1)
        bar = f"[{'#' * filled}{'.' * (30 - filled)}] {done}/{self.total} {name[-40:]:<40}"
        print(f"\r{bar}", end="", file=sys.stderr, flush=True)  # noqa: T201 - the bar

    def end(self, sentence: str) -> None:
        """Say how it went."""
        if not self._shown:
            return
        if sys.stderr.isatty():
            print(file=sys.stderr)  # noqa: T201 - ends the bar's line
        print(f"{sentence} in {time.monotonic() - self._begun:.1f} s", file=sys.stderr)  # noqa: T201 - what a command answers
