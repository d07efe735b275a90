"""WADO-RS: rendered pictures, documents, reports and thumbnails, at every level (PS3.18 sections 8.7.4 and 10.4.1.1.3)."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from hashlib import sha256

from aiohttp import web

from dicom_node.imaging.rendering import FORMATS, THUMBNAIL, middle_frame
from telemed.kernel.errors import Invalid, NotFound
from web import keys
from web.api.transact import off_loop
from web.dicomweb import structured_report
from web.dicomweb.accept import covers, media_ranges
from web.dicomweb.looking import KEPT, Look, frame_numbers, look_of
from web.dicomweb.reading import READER, Kept, address_of, base_of, kept
from web.dicomweb.wado import Part, send_parts

log = logging.getLogger(__name__)

#: How many pictures one answer may hold; a larger study is asked for by series.
MAXIMUM_PICTURES = 2000
#: Nothing in a report's page is fetched or run.
_INERT = "default-src 'none'; sandbox"


async def rendered(request: web.Request) -> web.StreamResponse:
    """GET .../rendered of a study, a series, an instance or of frames.

    A picture each; an encapsulated document as it is; a Structured Report as text/html. One alone, of one object, comes
    alone unless parts are asked for.
    """
    found, look = await kept(request), look_of(request)
    several = "instance" not in request.match_info or len(frame_numbers(request.match_info.get("frames", "1"))) > 1
    for asked in media_ranges(request):
        if asked.multipart_type is None and not several:
            answer = await _alone(request, found[0], look, asked.media)
            if answer is not None:
                return answer
        kind = asked.multipart_type or ("*/*" if asked.media == "*/*" else None)
        if kind is not None and (several or asked.multipart_type):
            pictures = [picture for one in found for picture in await _pictures_of(request, one)]
            if len(pictures) > MAXIMUM_PICTURES:
                raise Invalid(f"at most {MAXIMUM_PICTURES} pictures come at once; ask for each series", code="too-large")
            media = next((media for media in FORMATS if covers(kind, media)), None)
            if media is not None and pictures:
                return await send_parts(request, media, _parts(request, pictures, look, media), KEPT)
    raise web.HTTPNotAcceptable


async def _alone(request: web.Request, one: Kept, look: Look, asked: str) -> web.Response | None:
    """Answer one object, or one frame of it, by itself; None when it has no form that *asked* covers."""
    if one.instance.kind == "document":
        document = await off_loop(request, request.app[keys.IMAGING].document, one.path)
        if not covers(asked, document.media_type):
            return None
        headers = {**KEPT, "Content-Disposition": "inline" if document.media_type == "application/pdf" else "attachment"}
        return web.Response(body=document.data, content_type=document.media_type, headers=headers)
    if one.instance.kind == "image":
        media = next((media for media in FORMATS if covers(asked, media)), None)
        number = frame_numbers(request.match_info.get("frames", "1"))[0]
        return None if media is None else await _picture(request, one, number, look, media)
    return await _report(request, one) if covers(asked, "text/html") else None


async def _report(request: web.Request, one: Kept) -> web.Response:
    texts = await off_loop(request, request.app[READER].metadata, [one], request.match_info["study"], base_of(request))
    data_set = json.loads(texts[0]) if texts else {}
    if not structured_report.is_report(data_set):
        raise NotFound("this object is neither an image, a document nor a report; it has no rendered form", code="no-pixels")
    text = structured_report.page(data_set)
    return web.Response(text=text, content_type="text/html", headers={**KEPT, "Content-Security-Policy": _INERT})


async def _pictures_of(request: web.Request, one: Kept) -> list[tuple[Kept, int]]:
    """Return the frames of *one* to be drawn, those the path names or all."""
    if one.instance.kind != "image":
        return []
    try:
        layout = await off_loop(request, request.app[keys.IMAGING].layout, one.path, one.instance.digest)
    except Invalid as error:
        _leave_out(request, one, error)
        return []
    numbers = frame_numbers(request.match_info["frames"]) if "frames" in request.match_info else range(1, layout.frames + 1)
    layout.check(max(numbers))
    return [(one, number) for number in numbers]


async def _parts(request: web.Request, pictures: Sequence[tuple[Kept, int]], look: Look, media: str) -> AsyncIterator[Part]:
    base, study = base_of(request), request.match_info["study"]
    for one, number in pictures:
        location = f"{address_of(base, study, one)}/frames/{number}/rendered"
        try:
            drawn = await _drawn(request, one, number, look, media)
        except Invalid as error:
            _leave_out(request, one, error)
        else:
            yield {"Content-Type": media, "Content-Location": location}, drawn


def _leave_out(request: web.Request, one: Kept, error: Invalid) -> None:
    """Go on without a picture that nobody can draw, unless it is of the one object asked for or the request is wrong."""
    if "instance" in request.match_info or error.code == "viewport":
        raise error
    log.warning("object %s has no picture: %s", one.instance.digest, error.sentence)


async def thumbnail(request: web.Request) -> web.Response:
    """GET .../thumbnail of a study, a series, an instance or a frame: its middle image, small."""
    shown = [one for one in await kept(request) if one.instance.kind == "image"]
    if not shown:
        raise NotFound("there is no image here to make a thumbnail of", code="no-pixels")
    one = shown[len(shown) // 2]
    if "frames" in request.match_info:
        number = frame_numbers(request.match_info["frames"])[0]
    else:
        number = middle_frame(one.instance.frames)
    look = look_of(request)
    media = next((media for asked in media_ranges(request) for media in FORMATS if asked.takes(media)), None)
    if media is None:
        raise web.HTTPNotAcceptable
    small = replace(look, size=look.size or THUMBNAIL, part=None)
    return await _picture(request, one, number, small, media)


async def _picture(request: web.Request, one: Kept, number: int, look: Look, media: str) -> web.Response:
    how = sha256(repr((look, media)).encode()).hexdigest()
    tag = f'"{one.instance.digest[:40]}-{number}-{how[:16]}"'
    headers = {**KEPT, "ETag": tag}
    if request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers=headers)
    return web.Response(body=await _drawn(request, one, number, look, media), content_type=media, headers=headers)


async def _drawn(request: web.Request, one: Kept, number: int, look: Look, media: str) -> bytes:
    return await off_loop(
        request,
        request.app[keys.IMAGING].rendered,
        one.path,
        number,
        look.window,
        look.size,
        media,
        digest=one.instance.digest,
        region=look.part,
        quality=look.quality,
    )
