"""An ECG on its way to the disk: its files in a folder of their own, digested as they come, gone when it was dealt with."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from aiohttp import BodyPartReader, web

from dicom_node.archive.disk import unavailable
from telemed.kernel.errors import Invalid
from web import keys
from web.api.ecg_files import SENT
from web.api.transact import off_loop
from web.deadlines import in_time

#: A day of 12 leads at 1 kHz and 24 bits. What cannot be read piece by piece has `web.api.ecg_files.MOST_WHOLE_BYTES`.
MOST_BYTES = 3 << 30
MOST_FILES = 128
MOST_FIELD_BYTES = 1000
CHUNK = 64 * 1024
BLOCK = 1 << 20  # written at once, in a thread

Reading = Callable[[int], Awaitable[bytes]]


@dataclass(frozen=True)
class Sent:
    """One file as it came: how many bytes, and their sha256."""

    size: int
    digest: bytes


@dataclass(frozen=True)
class Upload:
    """What was sent: *files* by name, lying in the folder `SENT` of *folder*, and the fields of the form."""

    folder: Path
    files: Mapping[str, Sent]
    fields: Mapping[str, str]

    @property
    def size(self) -> int:
        """How many bytes the files have together."""
        return sum(sent.size for sent in self.files.values())


@asynccontextmanager
async def received(request: web.Request) -> AsyncIterator[Upload]:
    """Write the files of an upload to a folder that lasts as long as the block.

    Raises
    ------
    Invalid
        code ``empty``, ``unparsable`` or ``too-large`` (more than `MOST_BYTES` together).
    Unavailable
        when the disk is full or fails.
    """
    try:
        folder = Path(await off_loop(request, tempfile.mkdtemp, dir=request.app[keys.UPLOADS]))
        (folder / SENT).mkdir()
    except OSError as error:
        raise unavailable(error) from error
    try:
        files, fields = await _received(request, folder / SENT)
        if not any(sent.size for sent in files.values()):
            raise Invalid("the file is empty; send the recording as the machine wrote it", code="empty")
        yield Upload(folder, files, fields)
    finally:
        await off_loop(request, shutil.rmtree, folder, ignore_errors=True)


async def _received(request: web.Request, folder: Path) -> tuple[dict[str, Sent], dict[str, str]]:
    if request.content_type == "multipart/form-data":
        return await _parts(request, folder)
    name = _safe_name(unquote(request.headers.get("X-Filename", "")), "recording")
    return {name: await _kept(request, request.content.read, folder / name, MOST_BYTES)}, {}


async def _parts(request: web.Request, folder: Path) -> tuple[dict[str, Sent], dict[str, str]]:
    files: dict[str, Sent] = {}
    fields: dict[str, str] = {}
    left = MOST_BYTES
    try:
        reader = await request.multipart()
        while (part := await in_time(reader.next())) is not None:
            if not isinstance(part, BodyPartReader) or len(files) + len(fields) >= MOST_FILES:
                raise Invalid(f"the form is nested or has more than {MOST_FILES} parts", code="unparsable")
            if part.filename is None:
                fields[part.name or ""] = await _field(part)
            else:
                name = _safe_name(part.filename, f"part{len(files) + 1}")
                files[name] = await _kept(request, part.read_chunk, folder / name, left)
                left -= files[name].size
    except (ValueError, RuntimeError):  # the latter for a character set's name that is too long
        raise Invalid("the form is not readable as multipart/form-data", code="unparsable") from None
    return files, fields


async def _field(part: BodyPartReader) -> str:
    value = bytearray()
    while chunk := await in_time(part.read_chunk(CHUNK)):
        value += chunk
        _bound(len(value), MOST_FIELD_BYTES)
    return value.decode("utf-8", "replace").strip()


async def _kept(request: web.Request, read: Reading, path: Path, most: int) -> Sent:
    """Write what *read* gives to *path*, replacing a file of that name that came before."""
    digest, size, block = hashlib.sha256(), 0, bytearray()
    try:
        with path.open("wb") as file:

            def keep(content: bytes) -> None:
                digest.update(content)
                file.write(content)

            while chunk := await in_time(read(CHUNK)):
                block += chunk
                size += len(chunk)
                _bound(size, most)
                if len(block) >= BLOCK:
                    await off_loop(request, keep, bytes(block))
                    block.clear()
            await off_loop(request, keep, bytes(block))
    except OSError as error:
        raise unavailable(error) from error
    return Sent(size, digest.digest())


def _bound(size: int, most: int) -> None:
    if size > most:
        raise Invalid(f"this is larger than the {most} bytes taken here", code="too-large")


def _safe_name(name: str, otherwise: str) -> str:
    """Keep only the last part of a name, bounded: it hints at the format and joins a header with its signal files."""
    last = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join(character for character in last if character.isprintable()).strip(". ")
    return kept.encode()[-200:].decode("utf-8", "ignore") or otherwise
