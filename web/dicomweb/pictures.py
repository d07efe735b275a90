"""WADO-RS: frames, rendered pictures and thumbnails (PS3.18 sections 10.4.1.1.3 and 10.4.1.1.4, 10.4.1.1.5)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from aiohttp import web

from dicom_node.imaging.elements import EXPLICIT_LITTLE
from dicom_node.imaging.frames import OCTETS, Frame
from dicom_node.imaging.imaging import Imaging
from dicom_node.imaging.rendering import FORMATS, Part
from dicom_node.imaging.voi import Function, Window
from telemed.kernel.errors import Invalid, NotFound
from web import keys
from web.api.transact import off_loop
from web.dicomweb import multipart
from web.dicomweb.accept import MediaRange, covers, media_ranges
from web.dicomweb.reading import Kept, kept
from web.dicomweb.wado import send_parts

MAXIMUM_FRAMES = 1000
THUMBNAIL_SIDE = 160
#: An object never changes; who may see it does, and so a browser may keep it for one sitting, for one session's cookie.
_KEPT = {"Cache-Control": "private, max-age=3600", "Vary": "Accept, Cookie, Authorization"}


class _Form(StrEnum):
    """How a frame can be answered."""

    #: Ready to be drawn: colour as interleaved RGB, packed bits as bytes.
    READY = "ready"
    #: Explicit VR Little Endian, photometric interpretation as in the metadata where it was not compressed.
    UNCOMPRESSED = "uncompressed"
    #: As stored, whatever the compression.
    STORED = "stored"


@dataclass(frozen=True)
class _Answer:
    form: _Form
    media: str
    parts: bool


def _answer_to(asked: MediaRange, stored: Frame, *, several: bool) -> _Answer | None:
    """Choose how to answer *asked*, None when it cannot be; PS3.18 section 8.7.3.3 but for READY, which is ours."""
    if asked.media == "*/*":
        return _Answer(_Form.UNCOMPRESSED, OCTETS, parts=True)
    parts = asked.multipart_type is not None
    if several and not parts:
        return None
    kind = asked.multipart_type or asked.media
    syntax = asked.transfer_syntax
    as_stored = syntax in ("*", stored.transfer_syntax_uid)
    in_octets = covers(kind, OCTETS)
    if in_octets and syntax in (None, EXPLICIT_LITTLE):
        return _Answer(_Form.UNCOMPRESSED if parts or syntax else _Form.READY, OCTETS, parts)
    if as_stored and kind == OCTETS:
        return _Answer(_Form.STORED, OCTETS, parts)
    if covers(kind, stored.media_type) and (as_stored or syntax is None):
        return _Answer(_Form.STORED, stored.media_type, parts)
    return None


def _numbers(text: str) -> list[int]:
    pieces = text.split(",")
    if len(pieces) > MAXIMUM_FRAMES or not all(piece.isascii() and piece.isdigit() and len(piece) < 8 for piece in pieces):
        raise Invalid("frames are named by their numbers from 1, separated by commas: frames/1,2,3", code="unparsable")
    return [int(piece) for piece in pieces]


async def frames(request: web.Request) -> web.StreamResponse:
    """GET .../frames/{list}.

    ``application/octet-stream`` without a transfer syntax and for one frame answers pixels ready to be drawn, described
    by the headers X-Photometric-Interpretation, X-Bits-Allocated, X-Samples-Per-Pixel and X-Pixel-Representation. Every
    other answer is that of PS3.18.
    """
    numbers = _numbers(request.match_info["frames"])
    one = (await kept(request))[0]
    imaging, digest = request.app[keys.IMAGING], one.instance.digest
    several = len(numbers) > 1
    answer, first = await off_loop(request, _first, imaging, one, numbers[0], media_ranges(request), several=several)
    if answer is None:
        raise web.HTTPNotAcceptable
    tag = f'"{digest[:40]}-{request.match_info["frames"]}-{answer.form}-{"m" if answer.parts else "s"}"'
    headers = {**_KEPT, "ETag": tag}
    if request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers=headers)
    media = _labelled(answer.media, first)
    if not answer.parts:
        return web.Response(body=first.data, headers={**headers, **_description(first), "Content-Type": media})
    if not several:
        boundary = multipart.new_boundary()
        pieces = (multipart.opening(boundary, {"Content-Type": media}), first.data, multipart.END_OF_PART)
        body = b"".join((*pieces, multipart.closing(boundary)))
        return web.Response(body=body, headers={**headers, "Content-Type": multipart.content_type(answer.media, boundary)})
    (await off_loop(request, imaging.layout, one.path, digest)).check(max(numbers))  # before the answer's first byte

    async def parts() -> AsyncIterator[tuple[dict[str, str], bytes]]:
        yield {"Content-Type": media}, first.data
        get = _getter(imaging, answer.form)
        for number in numbers[1:]:
            frame = await off_loop(request, get, one, number)
            yield {"Content-Type": _labelled(answer.media, frame)}, frame.data

    return await send_parts(request, answer.media, parts(), headers)


def _first(imaging: Imaging, one: Kept, number: int, ranges: list[MediaRange], *, several: bool) -> tuple[_Answer | None, Frame]:
    """Choose how to answer, and read the first frame in that form: one visit off the loop, for there are many frames."""
    stored = imaging.stored_frame(one.path, number, digest=one.instance.digest)
    choices = (_answer_to(asked, stored, several=several) for asked in ranges)
    answer = next((choice for choice in choices if choice is not None), None)
    if answer is None or answer.form == _Form.STORED:
        return answer, stored
    return answer, _getter(imaging, answer.form)(one, number)


def _getter(imaging: Imaging, form: _Form) -> Callable[[Kept, int], Frame]:
    method = {_Form.READY: imaging.frame, _Form.UNCOMPRESSED: imaging.uncompressed_frame, _Form.STORED: imaging.stored_frame}[
        form
    ]
    return lambda one, number: method(one.path, number, digest=one.instance.digest)


def _labelled(media: str, frame: Frame) -> str:
    return f"{media}; transfer-syntax={frame.transfer_syntax_uid}"


def _description(frame: Frame) -> dict[str, str]:
    return {
        "X-Photometric-Interpretation": frame.photometric,
        "X-Bits-Allocated": str(frame.bits_allocated),
        "X-Samples-Per-Pixel": str(frame.samples),
        "X-Pixel-Representation": str(int(frame.signed)),
    }


async def rendered(request: web.Request) -> web.Response:
    """GET .../rendered of an instance (its first frame, or its document) or of one frame."""
    one = (await kept(request))[0]
    if one.instance.kind == "document":
        document = await off_loop(request, request.app[keys.IMAGING].document, one.path)
        headers = {**_KEPT, "Content-Disposition": "inline" if document.media_type == "application/pdf" else "attachment"}
        return web.Response(body=document.data, content_type=document.media_type, headers=headers)
    number = _numbers(request.match_info.get("frames", "1"))[0]
    return await _picture(request, one, number, _viewport(request), _part(request))


async def thumbnail(request: web.Request) -> web.Response:
    """GET .../thumbnail of a study, a series, an instance or a frame: its middle image, small."""
    shown = [one for one in await kept(request) if one.instance.kind == "image"]
    if not shown:
        raise NotFound("there is no image here to make a thumbnail of", code="no-pixels")
    one = shown[len(shown) // 2]
    if "frames" in request.match_info:
        number = _numbers(request.match_info["frames"])[0]
    else:
        layout = await off_loop(request, request.app[keys.IMAGING].layout, one.path, one.instance.digest)
        number = (layout.frames + 1) // 2
    return await _picture(request, one, number, _viewport(request) or (THUMBNAIL_SIDE, THUMBNAIL_SIDE), None)


async def _picture(request: web.Request, one: Kept, number: int, size: tuple[int, int] | None, part: Part | None) -> web.Response:
    wanted = (media for asked in media_ranges(request) for media in FORMATS if asked.takes(media))
    media = next(wanted, None)
    if media is None:
        raise web.HTTPNotAcceptable
    quality = request.query.get("quality", "90")
    if not (quality.isascii() and quality.isdigit() and 1 <= int(quality[:4]) <= 100):
        raise Invalid("quality is a whole number from 1 to 100", code="unparsable")
    imaging = request.app[keys.IMAGING]
    window = _window(request)
    how = sha256(repr((window, size, part, media, quality)).encode()).hexdigest()
    tag = f'"{one.instance.digest[:40]}-{number}-{how[:16]}"'
    headers = {**_KEPT, "ETag": tag}
    if request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers=headers)
    body = await off_loop(
        request,
        imaging.rendered,
        one.path,
        number,
        window,
        size,
        media,
        digest=one.instance.digest,
        region=part,
        quality=int(quality),
    )
    return web.Response(body=body, content_type=media, headers=headers)


def _window(request: web.Request) -> Window | None:
    """Read ``window=centre,width[,function]`` (PS3.18 section 8.3.5.1.4)."""
    said = request.query.get("window")
    if said is None:
        return None
    pieces = said.split(",")
    centre, width = _decimals(pieces[:2], "window")
    function = pieces[2].strip().upper().replace("-", "_") if len(pieces) > 2 else "LINEAR"
    if width <= 0 or function not in set(Function):
        raise Invalid(
            "window is centre,width,function with a width above 0 and linear, linear-exact or sigmoid", code="unparsable"
        )
    return Window(centre, width, Function(function))


def _viewport(request: web.Request) -> tuple[int, int] | None:
    """Read the first two of ``viewport=width,height[,x,y,width,height]``."""
    said = request.query.get("viewport")
    if said is None:
        return None
    width, height = _decimals(said.split(",")[:2], "viewport")
    return int(width), int(height)


def _part(request: web.Request) -> Part | None:
    pieces = request.query.get("viewport", "").split(",")[2:]
    if not pieces:
        return None
    if len(pieces) != 4:
        raise Invalid("viewport is width,height or width,height,x,y,width,height", code="unparsable")
    x, y, width, height = _decimals([piece or "0" for piece in pieces], "viewport")
    return Part(x, y, width or 1e5, height or 1e5)


def _decimals(pieces: list[str], name: str) -> list[float]:
    try:
        numbers = [float(piece) for piece in pieces]
    except ValueError:
        numbers = []
    if len(numbers) != len(pieces) or len(numbers) < 2 or not all(abs(number) < 1e9 for number in numbers):
        raise Invalid(f"{name} is a list of numbers separated by commas", code="unparsable")
    return numbers
