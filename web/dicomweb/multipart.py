"""multipart/related as PS3.18 section 8.6 uses it: written part by part, read as it arrives, within bounds."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from telemed.kernel.errors import Invalid

MAXIMUM_HEADERS = 16 << 10
#: RFC 2046 section 5.1.1: these, not ending in a space. It allows 70, but Orthanc's are of 73.
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,199}[0-9A-Za-z'()+_,\-./:=?]")


def new_boundary() -> str:
    """Return a boundary that no payload can be made to contain."""
    return secrets.token_hex(24)


def content_type(part_media: str, boundary: str) -> str:
    """Return the Content-Type of a whole made of parts of *part_media*."""
    return f'multipart/related; type="{part_media}"; boundary="{boundary}"'


def opening(boundary: str, headers: Mapping[str, str]) -> bytes:
    """Return what stands before a part's payload; every part is followed by `END_OF_PART`."""
    lines = [f"--{boundary}", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1", "replace")


END_OF_PART = b"\r\n"


def closing(boundary: str) -> bytes:
    """Return what stands after the last part."""
    return f"--{boundary}--\r\n".encode()


@dataclass(frozen=True)
class PartBegun:
    """A part's headers, names in lower case."""

    headers: Mapping[str, str]


@dataclass(frozen=True)
class PartData:
    """The next bytes of the part's payload."""

    data: bytes


@dataclass(frozen=True)
class PartEnded:
    """The part is whole."""


Event = PartBegun | PartData | PartEnded


class _State(Enum):
    PREAMBLE = auto()
    DELIMITER = auto()
    HEADERS = auto()
    BODY = auto()
    EPILOGUE = auto()


class Parser:
    """Feed it bytes as they arrive, in pieces of any size; it gives events back and holds no payload."""

    def __init__(self, boundary: str) -> None:
        """Expect parts between *boundary*; Invalid when that is none."""
        if not _BOUNDARY.fullmatch(boundary):
            raise Invalid("the multipart boundary is missing or malformed", code="unparsable")
        self._delimiter = b"\r\n--" + boundary.encode()
        # The first delimiter may stand at the very beginning: an imagined line end before it makes all of them alike.
        self._held = bytearray(b"\r\n")
        self._state = _State.PREAMBLE

    @property
    def finished(self) -> bool:
        """Whether the closing delimiter was seen."""
        return self._state is _State.EPILOGUE

    def feed(self, data: bytes) -> Iterator[Event]:
        """Take the next *data* and yield what it completes; exhaust the iterator before feeding more.

        Raises
        ------
        Invalid
            code "unparsable" when it is not multipart content.
        """
        self._held += data
        while True:
            before = self._state, len(self._held)
            yield from self._step()
            if self._state is _State.EPILOGUE or (self._state, len(self._held)) == before:
                return

    def _step(self) -> Iterator[Event]:
        match self._state:
            case _State.PREAMBLE | _State.BODY:
                yield from self._until_delimiter()
            case _State.DELIMITER:
                self._after_delimiter()
            case _State.HEADERS:
                yield from self._headers()
            case _State.EPILOGUE:
                self._held.clear()

    def _until_delimiter(self) -> Iterator[Event]:
        at = self._held.find(self._delimiter)
        inside = self._state is _State.BODY
        if at < 0:
            # Keep what may be the beginning of a delimiter.
            done = max(0, len(self._held) - len(self._delimiter) + 1)
            if inside and done:
                yield PartData(bytes(self._held[:done]))
            del self._held[:done]
            return
        if inside:
            if at:
                yield PartData(bytes(self._held[:at]))
            yield PartEnded()
        del self._held[: at + len(self._delimiter)]
        self._state = _State.DELIMITER

    def _after_delimiter(self) -> None:
        if self._held[:2] == b"--":
            self._held.clear()
            self._state = _State.EPILOGUE
            return
        line, found, _ = bytes(self._held[:256]).partition(b"\r\n")
        if found and not line.strip(b" \t"):
            # The line end stays: it may also be the end of headers that are not there.
            del self._held[: len(line)]
            self._state = _State.HEADERS
        elif found or len(self._held) > 128 or (line.strip(b" \t\r-")):
            raise Invalid("a multipart boundary is followed by something else; the content cannot be read", code="unparsable")

    def _headers(self) -> Iterator[Event]:
        end = self._held.find(b"\r\n\r\n", 0, MAXIMUM_HEADERS)
        if end < 0:
            if len(self._held) >= MAXIMUM_HEADERS:
                raise Invalid(f"a part's headers are longer than {MAXIMUM_HEADERS >> 10} KiB", code="unparsable")
            return
        headers: dict[str, str] = {}
        for line in bytes(self._held[:end]).decode("latin-1").split("\r\n")[1:]:
            name, colon, value = line.partition(":")
            if not colon:
                raise Invalid("a part's header has no colon; the content cannot be read", code="unparsable")
            headers[name.strip().lower()] = value.strip()
        del self._held[: end + 4]
        yield PartBegun(headers)
        self._state = _State.BODY
