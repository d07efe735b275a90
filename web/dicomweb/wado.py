"""WADO-RS: objects, metadata and bulk data (PS3.18 section 10.4); frames and pictures are in `pictures`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

from aiohttp import web

from dicom_node.imaging.frames import OCTETS
from telemed.kernel.errors import NotFound
from web import keys
from web.api.transact import off_loop
from web.dicomweb import multipart
from web.dicomweb.accept import MediaRange, covers, media_ranges
from web.dicomweb.dicom_json import bulk_value_of
from web.dicomweb.qido import DICOM_JSON
from web.dicomweb.reading import READER, Kept, address_of, base_of, kept

DICOM = "application/dicom"
#: Instances whose metadata is asked for in one go; two such calls keep two workers busy.
_TOGETHER = 24
#: PS3.18 Annex E.1: pixel data and its offset tables are fetched as frames, other bulk data by its element.
PIXEL_DATA = 0x7FE00010

Part = tuple[Mapping[str, str], bytes]


async def send_parts(
    request: web.Request, media: str, parts: AsyncIterator[Part], headers: Mapping[str, str]
) -> web.StreamResponse:
    """Stream *parts* as multipart/related of *media*."""
    boundary = multipart.new_boundary()
    response = web.StreamResponse(headers={**headers, "Content-Type": multipart.content_type(media, boundary)})
    await response.prepare(request)
    async for part_headers, payload in parts:
        await response.write(multipart.opening(boundary, part_headers))
        await response.write(payload)
        await response.write(multipart.END_OF_PART)
    await response.write(multipart.closing(boundary))
    await response.write_eof()
    return response


def takes_stored(asked: MediaRange, transfer_syntax: str) -> bool:
    """Whether *asked* accepts an object in the *transfer_syntax* it is stored in; nothing said accepts it as it is."""
    return asked.transfer_syntax in (None, "*", transfer_syntax)


async def retrieve(request: web.Request) -> web.StreamResponse:
    """GET .../studies/{study}[/series/{series}[/instances/{instance}]]: the Part 10 files as they were received."""
    found = await kept(request)
    alone = "instance" in request.match_info
    for asked in media_ranges(request):
        if not all(takes_stored(asked, one.instance.transfer_syntax_uid) for one in found):
            continue
        if asked.media == "*/*" or (asked.multipart_type is not None and covers(asked.multipart_type, DICOM)):
            return await _send_files(request, found)
        if alone and asked.takes(DICOM):
            headers = {
                "Content-Type": DICOM,
                "Content-Disposition": f'attachment; filename="{found[0].instance.digest[:16]}.dcm"',
            }
            return web.FileResponse(found[0].path, headers=headers)
    raise web.HTTPNotAcceptable


async def _send_files(request: web.Request, found: Sequence[Kept]) -> web.StreamResponse:
    """Send the files as parts of one body of known length, each straight from its file to the socket."""
    boundary, base, study = multipart.new_boundary(), base_of(request), request.match_info["study"]
    openings = [multipart.opening(boundary, _described(one, base, study)) for one in found]
    closing = multipart.closing(boundary)
    response = web.StreamResponse(headers={"Content-Type": multipart.content_type(DICOM, boundary)})
    sizes = (len(opening) + one.instance.size + len(multipart.END_OF_PART) for opening, one in zip(openings, found, strict=True))
    response.content_length = sum(sizes) + len(closing)
    await response.prepare(request)
    for opening, one in zip(openings, found, strict=True):
        await response.write(opening)
        with await off_loop(request, one.path.open, "rb") as file:
            if request.transport is None:
                raise ConnectionResetError("the client went away")
            await asyncio.get_running_loop().sendfile(request.transport, file, 0, one.instance.size)
        await response.write(multipart.END_OF_PART)
    await response.write(closing)
    await response.write_eof()
    return response


def _described(one: Kept, base: str, study: str) -> dict[str, str]:
    return {
        "Content-Type": f"{DICOM};transfer-syntax={one.instance.transfer_syntax_uid}",
        "Content-Location": address_of(base, study, one),
        "Content-Length": str(one.instance.size),
    }


async def metadata(request: web.Request) -> web.Response:
    """GET .../metadata of a study, a series or an instance: application/dicom+json, large values by their address."""
    if not any(one.takes(DICOM_JSON) or one.takes("application/json") for one in media_ranges(request)):
        raise web.HTTPNotAcceptable
    found = await kept(request)
    reader, study, base = request.app[READER], request.match_info["study"], base_of(request)
    groups = [found[start : start + _TOGETHER] for start in range(0, len(found), _TOGETHER)]
    texts = await asyncio.gather(*(off_loop(request, reader.metadata, group, study, base) for group in groups))
    body = b"[" + b",".join(text for group in texts for text in group) + b"]"
    return web.Response(
        body=body, content_type=DICOM_JSON, headers={"Cache-Control": "private, no-cache", "Vary": "Accept, Cookie"}
    )


async def bulk_data(request: web.Request) -> web.StreamResponse:
    """GET .../bulkdata/{path}: one binary element, named by the path of its BulkDataURI."""
    steps = _steps(request.match_info["path"])
    one = (await kept(request))[0]
    imaging, digest = request.app[keys.IMAGING], one.instance.digest
    asked = next(iter(media_ranges(request)))
    if steps == [PIXEL_DATA]:
        layout = await off_loop(request, imaging.layout, one.path, digest)
        first = await off_loop(request, imaging.stored_frame, one.path, 1, digest=digest)
        media = f"{first.media_type}; transfer-syntax={first.transfer_syntax_uid}"

        async def frames() -> AsyncIterator[Part]:
            # Native frames are one run of bytes and so one part (PS3.18 section 8.7.3.3); compressed ones a part each.
            if layout.native:
                joined = bytearray()
                for number in range(1, layout.frames + 1):
                    frame = await off_loop(request, imaging.stored_frame, one.path, number, digest=digest)
                    joined += frame.data
                yield {"Content-Type": media}, bytes(joined)
                return
            for number in range(1, layout.frames + 1):
                frame = await off_loop(request, imaging.stored_frame, one.path, number, digest=digest)
                yield {"Content-Type": media}, frame.data

        return await send_parts(request, first.media_type, frames(), {})
    data = await off_loop(request, request.app[keys.CONFINEMENT].run, bulk_value_of, one.path, steps)
    if asked.media == OCTETS:
        return web.Response(body=data, content_type=OCTETS)

    async def value() -> AsyncIterator[Part]:
        yield {"Content-Type": OCTETS}, data

    return await send_parts(request, OCTETS, value(), {})


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
