"""`telemed send`: files, folders, DICOMDIRs and ECG files to a DICOM node or to a telemed server's address."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pydicom
from pydicom.errors import InvalidDicomError

from dicom_node.peers import Failure, Outcome, Peer
from dicom_node.peers import send as store
from telemed import uploading
from telemed.kernel.errors import Invalid

#: Beyond this a folder was named by mistake.
MOST_FILES = 1_000_000
PART_10 = (128, b"DICM")


def send(paths: Sequence[Path], to: str, *, calling: str, quiet: bool = False) -> int:
    """Send everything under *paths*, naming what failed and why; 0 when all of it arrived, 1 when some did not.

    Raises
    ------
    Invalid
        when a path does not exist, holds nothing to send, or *to* is no destination.
    """
    files = list(_files(paths))
    if not files:
        raise Invalid(f"{', '.join(map(str, paths))}: there is nothing to send")
    bar = _Bar(len(files), shown=not quiet)
    if urlsplit(to).scheme in ("http", "https"):
        outcome = uploading.upload(files, to, os.environ.get("TELEMED_TOKEN", ""), bar)
    else:
        outcome = _store(files, Peer.parse(to), calling, bar)
    bar.end(outcome)
    for failure in outcome.failures:
        print(f"{failure.path}: {failure.reason}", file=sys.stderr)  # noqa: T201 - what a command answers
    return 1 if outcome.failures else 0


def _store(files: Sequence[Path], peer: Peer, calling: str, on_progress: Callable[[int, int, Path], None]) -> Outcome:
    """C-STORE the DICOM files; what is not DICOM is refused by name, for a C-STORE carries nothing else."""
    dicom = [file for file in files if is_dicom(file)]
    others = tuple(
        Failure(file, "is not a DICOM file; send ECG files to the server's address: --to http://HOST:PORT")
        for file in files
        if file not in set(dicom)
    )
    outcome = store(dicom, peer, on_progress, calling_aet=calling) if dicom else Outcome(0, ())
    return Outcome(outcome.sent, outcome.failures + others)


def is_dicom(file: Path) -> bool:
    """Tell whether *file* is a DICOM file with a preamble (PS3.10 section 7.1)."""
    offset, mark = PART_10
    try:
        with file.open("rb") as opened:
            opened.seek(offset)
            return opened.read(len(mark)) == mark
    except OSError:
        return False


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    count = 0
    for path in paths:
        if not path.exists():
            raise Invalid(f"{path}: there is no such file or folder")
        for file in _members(path):
            count += 1
            if count > MOST_FILES:
                raise Invalid(f"{path}: more than {MOST_FILES} files; name a smaller folder")
            yield file


def _members(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from (file for file in sorted(path.rglob("*")) if file.is_file() and file.name.upper() != "DICOMDIR")
    elif path.name.upper() == "DICOMDIR":
        yield from _referenced(path)
    else:
        yield path


def _referenced(dicomdir: Path) -> Iterator[Path]:
    """Yield the files a DICOMDIR names (PS3.3 F.3.2.2, Referenced File ID), never one outside its folder."""
    folder = dicomdir.parent.resolve()
    try:
        records = pydicom.dcmread(dicomdir).get("DirectoryRecordSequence") or []
    except (InvalidDicomError, OSError, ValueError) as error:
        raise Invalid(f"{dicomdir}: is not a readable DICOMDIR ({error})") from error
    for record in records:
        named = record.get("ReferencedFileID")
        if named is None:
            continue
        parts = [named] if isinstance(named, str) else list(named)
        file = folder.joinpath(*parts).resolve()
        if folder not in file.parents:
            raise Invalid(f"{dicomdir}: names a file outside its folder: {file}")
        yield file


@dataclass
class _Bar:
    """A line on stderr that grows; one line at the end where stderr is no terminal."""

    total: int
    shown: bool
    begun: float = 0.0
    last: float = 0.0

    def __post_init__(self) -> None:
        self.begun = time.monotonic()

    def __call__(self, done: int, total: int, path: Path) -> None:
        """Show that *path* is done."""
        now = time.monotonic()
        if not self.shown or not sys.stderr.isatty() or (now - self.last < 0.1 and done < total):
            return
        self.last = now
        filled = 30 * done // max(total, 1)
        print(f"\r[{'#' * filled}{'.' * (30 - filled)}] {done}/{total} {path.name[:40]:<40}", end="", file=sys.stderr, flush=True)  # noqa: T201 - the bar

    def end(self, outcome: Outcome) -> None:
        """Say how it went."""
        if not self.shown:
            return
        took = time.monotonic() - self.begun
        if sys.stderr.isatty():
            print(file=sys.stderr)  # noqa: T201 - ends the bar's line
        print(f"{outcome.sent} of {self.total} arrived in {took:.1f} s", file=sys.stderr)  # noqa: T201 - what a command answers
