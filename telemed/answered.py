"""What a destination has answered for good, by the digest of each file: a sending that was broken off goes on where it was.

The list lives until a sending is complete. It says what the destination told us, not what it still has, nor what it would
say today.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Self

#: Begins the line of a file that was refused; a digest alone was acknowledged.
_REFUSED = "refused:"
_LONGEST_REASON = 300


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


class Answered:
    """The list for one *destination*: a plain file, a digest a line, written as each file is answered; the last line counts."""

    def __init__(self, destination: str, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / f"sent-{hashlib.sha256(destination.encode()).hexdigest()[:16]}"
        self._refusals: dict[str, str] = {}
        lines = self.file.read_text(encoding="utf-8", errors="replace").split("\n") if self.file.exists() else []
        for line in lines:
            mark, _, reason = line.partition(" ")
            self._refusals[mark.removeprefix(_REFUSED)] = reason if mark.startswith(_REFUSED) else ""

    def __enter__(self) -> Self:
        self._open = self.file.open("a", encoding="utf-8", errors="replace")
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def refusal(self, digest: str) -> str | None:
        """Return why it was refused for good, an empty text when it was acknowledged, None when neither is known."""
        return self._refusals.get(digest) if digest else None

    def acknowledge(self, digest: str) -> None:
        """Remember it now: whatever ends the program next, that file is not sent again."""
        self._remember(digest, digest, "")

    def refuse(self, digest: str, reason: str) -> None:
        """Remember that it was refused for good, and why."""
        told = "".join(character if character.isprintable() else " " for character in reason)[:_LONGEST_REASON].strip()
        self._remember(digest, f"{_REFUSED}{digest} {told}", told)

    def _remember(self, digest: str, line: str, reason: str) -> None:
        self._refusals[digest] = reason
        self._open.write(f"{line}\n")
        self._open.flush()

    def forget(self) -> None:
        """Begin anew next time: nothing is left to go on with."""
        self.file.unlink(missing_ok=True)
