"""What a sender names, as files: files themselves, folders, DICOMDIRs, and zip archives opened within bounds."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError

from telemed.kernel.errors import Invalid

#: Beyond this a folder was named by mistake.
MOST_FILES = 1_000_000
#: A zip archive may come to so much, and no member to more than so many times what it takes in the archive.
MOST_UNPACKED, MOST_GROWTH = 64 << 30, 200
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Item:
    """A file to send, and the *name* people know it by: a zip's member lies elsewhere meanwhile."""

    path: Path
    name: str


def gathered(paths: Iterable[Path], scratch: Path) -> Iterator[Item]:
    """Yield every file under *paths*; members of zip archives are unpacked into *scratch*, whatever they are called.

    Raises
    ------
    Invalid
        when a path does not exist, holds too much, or cannot be read.
    """
    count = 0
    for path in paths:
        if not path.exists():
            raise Invalid(f"{path}: there is no such file or folder")
        for item in _items(path, scratch):
            count += 1
            if count > MOST_FILES:
                raise Invalid(f"{path}: more than {MOST_FILES} files; name a smaller folder")
            yield item


def _items(path: Path, scratch: Path) -> Iterator[Item]:
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.is_file() and file.name.upper() != "DICOMDIR":
                yield Item(file, str(file))
    elif path.name.upper() == "DICOMDIR":
        yield from (Item(file, str(file)) for file in _referenced(path))
    elif path.suffix.lower() == ".zip":
        yield from _unpacked(path, scratch)
    else:
        yield Item(path, str(path))


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


def _unpacked(archive: Path, scratch: Path) -> Iterator[Item]:
    """Unpack the members one by one, each in a folder of its own: a recording's files keep their plain names."""
    total = 0
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [member for member in opened.infolist() if not member.is_dir()]
            for member in members[: MOST_FILES + 1]:
                if Path(member.filename).name.upper() == "DICOMDIR":
                    continue
                file = _place(scratch, archive, member.filename)
                allowed = min(MOST_UNPACKED - total, max(_CHUNK, member.compress_size * MOST_GROWTH))
                with opened.open(member) as source, file.open("wb") as target:
                    while chunk := source.read(_CHUNK):
                        target.write(chunk)
                        if target.tell() > allowed:  # whatever the archive's directory says of its size
                            raise Invalid(f"{archive}: {member.filename} unpacks to far more than it takes; nothing is sent")
                    total += target.tell()
                yield Item(file, f"{archive}: {member.filename}")
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise Invalid(f"{archive}: is not a readable zip archive ({error})") from error


def _place(scratch: Path, archive: Path, member: str) -> Path:
    """Return where a member goes: a number for each folder of the archive, and only the last part of its name."""
    folder, _, name = member.replace("\\", "/").rpartition("/")
    place = scratch / f"{archive.stem[:40]}-{abs(hash((archive, folder))):x}"
    safe = "".join(character for character in name if character.isprintable())[-60:].lstrip(".") or "member"
    while (place / safe).exists():  # an archive may hold one name twice
        place /= "again"
    place.mkdir(exist_ok=True)
    return place / safe
