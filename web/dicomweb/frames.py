"""WADO-RS: the frames of an object, in the media type and transfer syntax that is asked for (PS3.18 section 10.4.1.1.4)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from aiohttp import web

from dicom_node.imaging.elements import EXPLICIT_LITTLE
from dicom_node.imaging.frames import MEDIA_TYPES, OCTETS, Frame, media_type_of, place_of, syntax_of
from dicom_node.imaging.imaging import Imaging
from dicom_node.imaging.layout import Layout
from dicom_node.imaging.transcoding import TARGETS, is_possible
from web import keys
from web.api.transact import off_loop
from web.dicomweb import multipart
from web.dicomweb.accept import MediaRange, covers, media_ranges
from web.dicomweb.looking import KEPT, frame_numbers
from web.dicomweb.reading import Kept, kept
from web.dicomweb.wado import Part, ranged, send_parts, send_stretches


@dataclass(frozen=True)
class _Answer:
    """How a frame is answered: as *media*, in parts or not, in the transfer syntax *syntax*; None is ready to be drawn."""

    syntax: str | None
    media: str
    parts: bool


def _answer_to(asked: MediaRange, layout: Layout, *, several: bool) -> _Answer | None:
    """Choose how to answer *asked*, None when it cannot be; PS3.18 section 8.7.3.3 but for frames ready to be drawn, ours."""
    if asked.media == "*/*":
        return _Answer(EXPLICIT_LITTLE, OCTETS, parts=True)
    parts = asked.multipart_type is not None
    if several and not parts:
        return None
    kind, syntax = asked.multipart_type or asked.media, asked.transfer_syntax
    if covers(kind, OCTETS) and syntax in (None, EXPLICIT_LITTLE):
        return _Answer(EXPLICIT_LITTLE if parts or syntax else None, OCTETS, parts)
    stored = syntax_of(layout)
    for offered in (stored, *TARGETS):
        media = media_type_of(layout) if offered == stored else MEDIA_TYPES[offered]
        named = syntax == offered or (syntax == "*" and offered == stored)
        if named and kind == OCTETS:
            media = OCTETS
        if (named or syntax is None) and covers(kind, media) and is_possible(layout, offered):
            return _Answer(offered, media, parts)
    return None


async def frames(request: web.Request) -> web.StreamResponse:
    """GET .../frames/{list}.

    ``application/octet-stream`` without a transfer syntax and for one frame answers pixels ready to be drawn, described
    by the headers X-Photometric-Interpretation, X-Bits-Allocated, X-Samples-Per-Pixel and X-Pixel-Representation. Every
    other answer is that of PS3.18.
    """
    numbers = frame_numbers(request.match_info["frames"])
    one = (await kept(request))[0]
    imaging, digest = request.app[keys.IMAGING], one.instance.digest
    several = len(numbers) > 1
    layout = await _layout(request, one, numbers)
    choices = (_answer_to(asked, layout, several=several) for asked in media_ranges(request))
    answer = next((choice for choice in choices if choice is not None), None)
    if answer is None:
        raise web.HTTPNotAcceptable
    tag = f'"{digest[:40]}-{request.match_info["frames"]}-{answer.syntax}-{"m" if answer.parts else "s"}"'
    headers = {**KEPT, "ETag": tag}
    if request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers=headers)
    places = [place_of(layout, number) for number in numbers] if answer.syntax == syntax_of(layout) else [None]
    spans = [place for place in places if place is not None]
    if answer.parts and len(spans) == len(numbers):
        described = {"Content-Type": f"{answer.media}; transfer-syntax={answer.syntax}"}
        return await send_stretches(request, answer.media, [(described, one.path, span) for span in spans], headers)
    get = _getter(imaging, answer.syntax)
    if not answer.parts:
        frame = await off_loop(request, get, one, numbers[0])
        return ranged(request, frame.data, {**headers, **_description(frame), "Content-Type": _labelled(answer.media, frame)})

    async def parts() -> AsyncIterator[Part]:
        for number in numbers:
            frame = await off_loop(request, get, one, number)
            yield {"Content-Type": _labelled(answer.media, frame)}, frame.data

    if several:
        return await send_parts(request, answer.media, parts(), headers)
    boundary = multipart.new_boundary()
    async for part_headers, data in parts():
        assert isinstance(data, bytes)
        body = multipart.opening(boundary, part_headers) + data + multipart.END_OF_PART + multipart.closing(boundary)
    return web.Response(body=body, headers={**headers, "Content-Type": multipart.content_type(answer.media, boundary)})


async def _layout(request: web.Request, one: Kept, numbers: Sequence[int]) -> Layout:
    """Return the object's layout, which has each of *numbers*: what is not there is said before the answer's first byte."""
    imaging, digest = request.app[keys.IMAGING], one.instance.digest
    layout = imaging.known_layout(digest)
    if layout is None:
        layout = await off_loop(request, imaging.layout, one.path, digest)
    for number in numbers:
        layout.check(number)
    return layout


def _getter(imaging: Imaging, syntax: str | None) -> Callable[[Kept, int], Frame]:
    if syntax is None:
        return lambda one, number: imaging.frame(one.path, number, digest=one.instance.digest)
    return lambda one, number: imaging.frame_in(one.path, number, syntax, digest=one.instance.digest)


def _labelled(media: str, frame: Frame) -> str:
    return f"{media}; transfer-syntax={frame.transfer_syntax_uid}"


def _description(frame: Frame) -> dict[str, str]:
    return {
        "X-Photometric-Interpretation": frame.photometric,
        "X-Bits-Allocated": str(frame.bits_allocated),
        "X-Samples-Per-Pixel": str(frame.samples),
        "X-Pixel-Representation": str(int(frame.signed)),
    }
