"""What a client will take: the Accept header of PS3.18 section 8.7.5, with its type and transfer-syntax parameters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from aiohttp import web

_MAXIMUM_HEADER = 8192
#: Up to the next separator that no quotes enclose; clients write type=application/dicom without them too.
_PIECE = {separator: re.compile(rf'(?:"(?:[^"\\]|\\.)*"|[^"{separator}])+') for separator in ",;"}


@dataclass(frozen=True)
class MediaRange:
    """One media range: lower-case *media*, its parameters without q."""

    media: str
    parameters: Mapping[str, str]
    quality: float

    @property
    def transfer_syntax(self) -> str | None:
        """The transfer syntax asked for, ``*`` for whichever it is stored in, None when not said."""
        return self.parameters.get("transfer-syntax")

    @property
    def multipart_type(self) -> str | None:
        """What the parts are to be; None when the range is not multipart/related."""
        return self.parameters.get("type", "*/*").lower() if self.media == "multipart/related" else None

    def takes(self, media: str) -> bool:
        """Whether *media* (a single part) falls in this range."""
        return covers(self.media, media)


def covers(media_range: str, media: str) -> bool:
    """Whether *media* is within *media_range*: ``image/*`` covers ``image/jpeg``."""
    kind, _, rest = media_range.partition("/")
    return media_range in ("*/*", media) or (rest == "*" and media.startswith(f"{kind}/"))


def media_ranges(request: web.Request) -> Sequence[MediaRange]:
    """Return what the request will take, best first; the query parameter ``accept`` stands in for the header.

    Nothing said means anything. Ranges of quality 0 are left out.
    """
    said = request.query.get("accept") or ",".join(request.headers.getall("Accept", []))
    return _ranges(said[:_MAXIMUM_HEADER])


@lru_cache(maxsize=256)  # a program says the same each time
def _ranges(header: str) -> Sequence[MediaRange]:
    found = [one for one in parsed(header) if one.quality > 0]
    return tuple(sorted(found, key=lambda one: -one.quality)) or (MediaRange("*/*", {}, 1.0),)


def parsed(header: str) -> Iterator[MediaRange]:
    """Read the media ranges of an Accept header, in its order; what cannot be read is left out."""
    for piece in _PIECE[","].findall(header):
        media, *rest = [part.strip() for part in _PIECE[";"].findall(piece)] or [""]
        parameters: dict[str, str] = {}
        for part in rest:
            name, _, value = part.partition("=")
            parameters[name.strip().lower()] = value.strip().strip('"')
        try:
            quality = float(parameters.pop("q", "1"))
        except ValueError:
            quality = 0.0
        if media.count("/") == 1:
            yield MediaRange(media.lower(), parameters, quality)
