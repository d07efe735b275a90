"""WADO-RS: objects, metadata and bulk data (PS3.18 section 10.4); frames and pictures are in `pictures`."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from aiohttp import web

from dicom_node.imaging.elements import EXPLICIT_LITTLE
from dicom_node.imaging.frames import OCTETS, media_type_of, syntax_of
from dicom_node.imaging.imaging import Imaging
from dicom_node.imaging.layout import PIXEL_KEYWORDS, Span
from dicom_node.imaging.transcoding import TARGETS
from telemed.kernel.errors import Invalid, NotFound
from web import keys
from web.api.transact import off_loop
from web.dicomweb import multipart
from web.dicomweb.accept import MediaRange, covers, media_ranges
from web.dicomweb.dicom_json import bulk_value_of
from web.dicomweb.outlet import Outlet, Piece
from web.dicomweb.qido import DICOM_JSON
from web.dicomweb.reading import READER, Kept, address_of, base_of, kept

log = logging.getLogger(__name__)

DICOM = "application/dicom"
#: Bulk data is little endian whatever the file is in (PS3.18 section 8.7.3.2).
_OCTETS = {"Content-Type": f"{OCTETS}; transfer-syntax={EXPLICIT_LITTLE}"}
_CHUNK = 1 << 20
#: Instances whose metadata is asked for in one go; two such calls keep two workers busy.
_TOGETHER = 24
_AHEAD = 4
#: What a part says of itself, and its content: bytes, what yields them, or an open file.
Part = tuple[Mapping[str, str], bytes | AsyncIterator[bytes] | BinaryIO]


async def send_parts(
    request: web.Request, media: str, parts: AsyncIterator[Part], headers: Mapping[str, str]
) -> web.StreamResponse:
    """Stream *parts* as multipart/related of *media*; an open file is sent a chunk at a time, and closed."""
    boundary = multipart.new_boundary()
    response = web.StreamResponse(headers={**headers, "Content-Type": multipart.content_type(media, boundary)})
    part = await anext(parts, None)  # what cannot be given at all is refused before the answer's first byte
    await response.prepare(request)
    while part is not None:
        part_headers, payload = part
        await response.write(multipart.opening(boundary, part_headers))
        if isinstance(payload, bytes):
            await response.write(payload)
        else:
            async for chunk in payload if isinstance(payload, AsyncIterator) else chunks(request, payload):
                await response.write(chunk)
        await response.write(multipart.END_OF_PART)
        part = await anext(parts, None)
    await response.write(multipart.closing(boundary))
    await response.write_eof()
    return response


async def send_stretches(
    request: web.Request, media: str, parts: Sequence[tuple[Mapping[str, str], Path, Span]], headers: Mapping[str, str]
) -> web.StreamResponse:
    """Answer with parts of *media* that stand in files: a whole of known length, each by the kernel from file to socket."""
    boundary = multipart.new_boundary()
    heads = [multipart.opening(boundary, described) for described, _, _ in parts]
    heads[1:] = (multipart.END_OF_PART + head for head in heads[1:])
    tail = multipart.END_OF_PART + multipart.closing(boundary)
    response = web.StreamResponse(headers={**headers, "Content-Type": multipart.content_type(media, boundary)})
    response.content_length = sum(map(len, heads)) + sum(span.length for _, _, span in parts) + len(tail)
    transport = request.transport
    if transport is None:
        raise ConnectionResetError("the client went away")
    transport.set_write_buffer_limits(high=0)  # nothing may wait in it for the socket when the files follow
    await response.prepare(request)
    await response.write(heads[0])
    await request.writer.drain()
    if transport.is_closing():
        raise ConnectionResetError("the client went away")
    between: list[Piece] = [*heads[1:], tail]
    pieces = chain.from_iterable(zip(((path, span) for _, path, span in parts), between, strict=True))
    with Outlet(transport.get_extra_info("socket"), pieces) as outlet:
        await outlet.send(request)
    transport.set_write_buffer_limits()
    await response.write_eof()
    return response


async def chunks(request: web.Request, file: BinaryIO) -> AsyncIterator[bytes]:
    """Yield a file's bytes, read off the loop, and close it."""
    try:
        while chunk := await off_loop(request, file.read, _CHUNK):
            yield chunk
    finally:
        await off_loop(request, file.close)


def ranged(request: web.Request, data: bytes, headers: Mapping[str, str]) -> web.Response:
    """Answer *data*, or the one range of its bytes that is asked for (RFC 9110 section 14)."""
    status, start, stop, described = _range_of(request, len(data))
    return web.Response(status=status, body=data[start:stop], headers={**headers, **described})


def _range_of(request: web.Request, size: int) -> tuple[int, int, int, dict[str, str]]:
    """Return the status, the first byte and the one after the last, and the headers of an answer that has *size* bytes in all."""
    try:
        asked = request.http_range
    except ValueError:
        asked = slice(None)  # several ranges, or none that can be read: the whole is a right answer, too
    if asked.start is None and asked.stop is None:
        return 200, 0, size, {"Accept-Ranges": "bytes"}
    start, stop, _ = asked.indices(size)
    if start >= stop:
        raise web.HTTPRequestRangeNotSatisfiable(headers={"Content-Range": f"bytes */{size}"})
    return 206, start, stop, {"Accept-Ranges": "bytes", "Content-Range": f"bytes {start}-{stop - 1}/{size}"}


def _syntax_for(imaging: Imaging, one: Kept, asked: MediaRange) -> str | None:
    """Return the transfer syntax *one* is answered in, None when it cannot be as *asked*.

    Nothing said takes it as it is stored. An object without pixels has no compressed form: it comes uncompressed instead.
    """
    stored, wanted = one.instance.transfer_syntax_uid, asked.transfer_syntax
    if wanted in (None, "*", stored):
        return stored
    if one.instance.kind != "image" and wanted in (EXPLICIT_LITTLE, *TARGETS):
        return EXPLICIT_LITTLE
    return wanted if imaging.can_rewrite_in(one.path, wanted, digest=one.instance.digest) else None


async def _syntaxes_for(request: web.Request, found: Sequence[Kept], asked: MediaRange) -> list[str | None]:
    imaging = request.app[keys.IMAGING]

    def each() -> list[str | None]:
        return [_syntax_for(imaging, one, asked) for one in found]

    as_stored = asked.transfer_syntax in (None, "*")  # then no file is looked at
    return each() if as_stored else await off_loop(request, each)


async def retrieve(request: web.Request) -> web.StreamResponse:
    """GET .../studies/{study}[/series/{series}[/instances/{instance}]]: the Part 10 files as they were received.

    With a transfer-syntax parameter they come rewritten in that one: Explicit VR Little Endian, JPEG-LS or HTJ2K lossless.
    """
    found = await kept(request)
    for asked in media_ranges(request):
        in_parts = asked.media == "*/*" or (asked.multipart_type is not None and covers(asked.multipart_type, DICOM))
        if not in_parts and not (len(found) == 1 and "instance" in request.match_info and asked.takes(DICOM)):
            continue
        syntaxes = await _syntaxes_for(request, found, asked)
        whole = [(one, syntax) for one, syntax in zip(found, syntaxes, strict=True) if syntax is not None]
        if len(whole) < len(found):
            continue
        if in_parts and all(syntax == one.instance.transfer_syntax_uid for one, syntax in whole):
            base, study = base_of(request), request.match_info["study"]
            stretches = [
                (_part_headers(one, syntax, one.instance.size, base, study), one.path, Span(0, one.instance.size))
                for one, syntax in whole
            ]
            return await send_stretches(request, DICOM, stretches, {})
        if in_parts:
            return await send_parts(request, DICOM, _files(request, whole), {})
        return await _alone(request, *whole[0])
    raise web.HTTPNotAcceptable


async def _alone(request: web.Request, one: Kept, syntax: str) -> web.StreamResponse:
    headers = {
        "Content-Type": f"{DICOM}; transfer-syntax={syntax}",
        "Content-Disposition": f'attachment; filename="{one.instance.digest[:16]}.dcm"',
    }
    if syntax == one.instance.transfer_syntax_uid:
        return web.FileResponse(one.path, headers=headers)
    return web.Response(body=await _rewritten(request, one, syntax), headers=headers)


async def _rewritten(request: web.Request, one: Kept, syntax: str) -> BinaryIO:
    return await off_loop(request, request.app[keys.IMAGING].object_in, one.path, syntax, digest=one.instance.digest)


def _part_headers(one: Kept, syntax: str, size: int, base: str, study: str) -> dict[str, str]:
    return {
        "Content-Type": f"{DICOM};transfer-syntax={syntax}",
        "Content-Location": address_of(base, study, one),
        "Content-Length": str(size),
    }


async def _file(request: web.Request, one: Kept, syntax: str) -> tuple[str, BinaryIO]:
    """Return a file of *one* in *syntax*, or as it is stored where nobody can decode it: the objects after it come even so."""
    stored = one.instance.transfer_syntax_uid
    if syntax != stored:
        try:
            return syntax, await _rewritten(request, one, syntax)
        except Invalid as error:
            log.warning("object %s goes as it is stored: %s", one.instance.digest, error.sentence)
    return stored, await off_loop(request, one.path.open, "rb")


async def _files(request: web.Request, found: Sequence[tuple[Kept, str]]) -> AsyncIterator[Part]:
    base, study = base_of(request), request.match_info["study"]
    for one, wanted in found:
        syntax, file = await _file(request, one, wanted)
        yield _part_headers(one, syntax, os.fstat(file.fileno()).st_size, base, study), file


async def metadata(request: web.Request) -> web.StreamResponse:
    """GET .../metadata of a study, a series or an instance: application/dicom+json, large values by their address.

    It is written as it is read, and validated by an ETag that changes with the instances it lists.
    """
    if not any(one.takes(DICOM_JSON) or one.takes("application/json") for one in media_ranges(request)):
        raise web.HTTPNotAcceptable
    found = await kept(request)
    listed = "\n".join([base_of(request), request.match_info["study"], *(one.instance.digest for one in found)])
    tag = f'"{sha256(listed.encode()).hexdigest()[:40]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Accept, Cookie"}
    if request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers=headers)
    response = web.StreamResponse(headers={**headers, "Content-Type": DICOM_JSON})
    between = b"["
    async for texts in _described(request, found):
        if not response.prepared:
            await response.prepare(request)
        if texts:
            await response.write(between + b",".join(texts))
            between = b","
    await response.write_eof(b"]" if between == b"," else b"[]")
    return response


async def _described(request: web.Request, found: Sequence[Kept]) -> AsyncIterator[list[bytes]]:
    """Yield the metadata of a group of instances after another, the next ones already being read."""
    reader, study, base = request.app[READER], request.match_info["study"], base_of(request)
    groups = (found[start : start + _TOGETHER] for start in range(0, len(found), _TOGETHER))
    ahead: deque[asyncio.Future[list[bytes]]] = deque()
    try:
        for group in groups:
            ahead.append(asyncio.ensure_future(off_loop(request, reader.metadata, group, study, base)))
            if len(ahead) == _AHEAD:
                yield await ahead.popleft()
        while ahead:
            yield await ahead.popleft()
    finally:
        for task in ahead:
            task.cancel()


async def bulk_data(request: web.Request) -> web.StreamResponse:
    """GET .../bulkdata/{path}: one binary element, named by the path of its BulkDataURI."""
    steps = _steps(request.match_info["path"])
    one = (await kept(request))[0]
    if len(steps) == 1 and steps[0] in PIXEL_KEYWORDS:
        return await _pixel_data(request, one)
    asked = next((one for one in media_ranges(request) if covers(one.multipart_type or one.media, OCTETS)), None)
    if asked is None:
        raise web.HTTPNotAcceptable
    data = await off_loop(request, request.app[keys.CONFINEMENT].run, bulk_value_of, one.path, steps)
    return ranged(request, data, _OCTETS) if asked.media == OCTETS else await _one_part(request, data)


async def _pixel_data(request: web.Request, one: Kept) -> web.StreamResponse:
    """Answer all frames as they are stored, or uncompressed as octets."""
    imaging, digest = request.app[keys.IMAGING], one.instance.digest
    layout = await off_loop(request, imaging.layout, one.path, digest)
    numbers, media, syntax = range(1, layout.frames + 1), media_type_of(layout), syntax_of(layout)

    async def compressed() -> AsyncIterator[Part]:
        for number in numbers:
            frame = await off_loop(request, imaging.stored_frame, one.path, number, digest=digest)
            yield {"Content-Type": f"{media}; transfer-syntax={syntax}"}, frame.data

    for asked in media_ranges(request):
        kind, named = asked.multipart_type or asked.media, asked.transfer_syntax
        takes_octets = covers(kind, OCTETS) and named in (None, EXPLICIT_LITTLE)
        if layout.native and (takes_octets or (covers(kind, OCTETS) and named == "*")):
            break
        in_parts = asked.multipart_type is not None or asked.media == "*/*"
        if not layout.native and in_parts and named in (None, "*", syntax) and covers(kind, media):
            return await send_parts(request, media, compressed(), {})
        if takes_octets:
            break
    else:
        raise web.HTTPNotAcceptable
    return await _uncompressed(request, one, layout.frames, asked)


async def _uncompressed(request: web.Request, one: Kept, frames: int, asked: MediaRange) -> web.StreamResponse:
    """Answer the pixel data as one run of octets, a frame after another: all of a long object would fill the memory."""
    imaging, digest = request.app[keys.IMAGING], one.instance.digest

    async def frame(number: int) -> bytes:
        return (await off_loop(request, imaging.uncompressed_frame, one.path, number, digest=digest)).data

    size = len(await frame(1))  # of each

    async def between(start: int, stop: int) -> AsyncIterator[bytes]:
        for number in range(start // size, -(-stop // size)):
            yield (await frame(number + 1))[max(start - number * size, 0) : stop - number * size]

    if asked.media != OCTETS:
        return await _one_part(request, between(0, frames * size))
    status, start, stop, described = _range_of(request, frames * size)
    response = web.StreamResponse(status=status, headers={**_OCTETS, **described})
    response.content_length = stop - start
    await response.prepare(request)
    async for piece in between(start, stop):
        await response.write(piece)
    await response.write_eof()
    return response


async def _one_part(request: web.Request, data: bytes | AsyncIterator[bytes]) -> web.StreamResponse:
    """Answer *data* as the one part that uncompressed bulk data is (PS3.18 section 8.7.3.3)."""

    async def part() -> AsyncIterator[Part]:
        yield _OCTETS, data

    return await send_parts(request, OCTETS, part(), {})


def _steps(path: str) -> list[int]:
    """Read TAG[/ITEM/TAG...]; NotFound when it is no such path."""
    pieces = path.split("/")
    try:
        steps = [int(piece, 10 if number % 2 else 16) for number, piece in enumerate(pieces)]
    except ValueError:
        steps = []
    if len(steps) % 2 == 0 or len(steps) > 129 or not all(0 <= step <= 0xFFFFFFFF for step in steps):
        raise NotFound("this object has no such bulk data", code="bulk-data")
    return steps
