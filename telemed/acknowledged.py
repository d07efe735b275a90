"""What a destination has acknowledged, by the digest of each file: a sending that was broken off goes on where it was.

The list lives until a sending is complete. It says what the destination told us, not what it still has.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Self


def default_folder() -> Path:
    """Return where the lists are kept: XDG's folder for a program's state."""
    return Path(os.environ.get("XDG_STATE_HOME") or "~/.local/state").expanduser() / "telemed"


def digest_of(files: Iterable[Path]) -> str:
    """Return the SHA-256 of files that are sent together, in hexadecimal."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()


class Acknowledged:
    """The list for one *destination*: a plain file, a digest a line, written as each file is acknowledged."""

    def __init__(self, destination: str, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / f"sent-{hashlib.sha256(destination.encode()).hexdigest()[:16]}"
        self._known = set(self.file.read_text(encoding="ascii", errors="replace").split()) if self.file.exists() else set()

    def __enter__(self) -> Self:
        self._open = self.file.open("a", encoding="ascii")
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def __contains__(self, digest: str) -> bool:
        return digest in self._known

    def add(self, digest: str) -> None:
        """Remember it now: whatever ends the program next, that file is not sent again."""
        self._known.add(digest)
        self._open.write(f"{digest}\n")
        self._open.flush()

    def forget(self) -> None:
        """Begin anew next time: nothing is left to go on with."""
        self.file.unlink(missing_ok=True)
