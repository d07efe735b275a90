"""How a picture is asked for: the query parameters of PS3.18 section 8.3.5, and the frames a path names."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from dicom_node.imaging.rendering import QUALITY, Part
from dicom_node.imaging.voi import Function, Window
from telemed.kernel.errors import Invalid

MAXIMUM_FRAMES = 1000
#: An object never changes; who may see it does, and so a browser may keep it for one sitting, for one session's cookie.
KEPT = {"Cache-Control": "private, max-age=3600", "Vary": "Accept, Cookie, Authorization"}


@dataclass(frozen=True)
class Look:
    """A picture's window, viewport (width, height), the part of the image shown in it, and JPEG quality from 1 to 100."""

    window: Window | None
    size: tuple[int, int] | None
    part: Part | None
    quality: int


def look_of(request: web.Request) -> Look:
    """Read the query; Invalid (400) names the parameter that cannot be used."""
    quality = request.query.get("quality", str(QUALITY))
    if not (quality.isascii() and quality.isdigit() and len(quality) <= 3 and 1 <= int(quality) <= 100):
        raise Invalid("quality is a whole number from 1 to 100", code="unparsable")
    return Look(_window(request), _viewport(request), _part(request), int(quality))


def frame_numbers(text: str) -> list[int]:
    """Read the numbers of a path's frames, from 1; Invalid (400) when they are none."""
    pieces = text.split(",")
    if len(pieces) > MAXIMUM_FRAMES or not all(piece.isascii() and piece.isdigit() and len(piece) < 8 for piece in pieces):
        raise Invalid("frames are named by their numbers from 1, separated by commas: frames/1,2,3", code="unparsable")
    return [int(piece) for piece in pieces]


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
