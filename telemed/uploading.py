"""Files to a telemed server's HTTP address: DICOM by STOW-RS (PS3.18 section 10.5), other ECG files by the API."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote, urlsplit

from dicom_node.peers import RefusedForGood, is_for_good
from telemed.kernel.errors import Invalid, Unavailable

TIMEOUT_S = 120
#: An ECG of more bytes may be one of hours, which the server analyses before it answers.
LONG_BYTES, LONG_TIMEOUT_S = 8 << 20, 1000
STORED_OR_NOT, UNPROCESSABLE = 202, 422
BLOCK, CRLF = 1 << 20, b"\r\n"


def way_to(url: str, token: str) -> Callable[[Sequence[Path]], Iterator[tuple[Path, str]]]:
    """Return the way to *url*: it sends each file by itself, so that one refused file stops no other.

    It yields each file with why it was not taken, an empty text when it was, `RefusedForGood` when the server cannot make
    anything of it; a WFDB header brings its signals.

    Raises
    ------
    Invalid
        when no token is given, or *url* is no address.
    """
    if not token:
        raise Invalid("set TELEMED_TOKEN to a token made by `telemed token create USER` to send to a server's address")
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/dicom+json, application/json"}
    _connection(url)

    def over_a_connection(files: Sequence[Path]) -> Iterator[tuple[Path, str]]:
        connection = _connection(url)
        for number, file in enumerate(files):
            try:
                yield file, _sent(connection, file, headers)
            except OSError as error:
                yield file, f"it cannot be read: {error.strerror or error}"
            except Unavailable as error:
                yield from ((left, error.sentence) for left in files[number:])
                break
        connection.close()

    return over_a_connection


def without_signals(files: Iterable[Path]) -> list[Path]:
    """Return *files* without those that a WFDB header among them brings."""
    listed = list(files)
    brought = {signal for file in listed for signal in signals_of(file)}
    return [file for file in listed if file not in brought]


def signals_of(file: Path) -> list[Path]:
    """Return the files that a WFDB header names and that lie beside it, those of its segments too."""
    if file.suffix.lower() != ".hea":
        return []
    from ecg.formats import wfdb  # noqa: PLC0415 - numpy is loaded only for those who send such a record

    def header(name: str) -> bytes | None:
        member = file.with_name(name)
        if not member.is_file():
            return None
        return member.read_bytes() if member.suffix.lower() == ".hea" else b""

    return sorted(file.with_name(name) for name in wfdb.collected(file.name, header) if name != file.name)


def _connection(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    if not parts.hostname:
        raise Invalid(f"{url!r} is not an address: write http://HOST:PORT")
    if parts.scheme == "https":
        return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=TIMEOUT_S, context=ssl.create_default_context())
    return http.client.HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT_S)


def _is_dicom(file: Path) -> bool:
    with file.open("rb") as content:
        return content.read(132)[128:] == b"DICM"


def _size(file: Path) -> int:
    """Return the size of *file*, which can then be read too."""
    with file.open("rb") as content:
        return content.seek(0, os.SEEK_END)


def _sent(connection: http.client.HTTPConnection, file: Path, headers: dict[str, str]) -> str:
    """Return why the server did not take *file*, nothing when it did."""
    boundary = uuid.uuid4().hex
    if _is_dicom(file):
        path, kind = "/dicom-web/studies", f'multipart/related; type="application/dicom"; boundary={boundary}'
        parts = [("Content-Type: application/dicom", file)]
    else:
        path, kind = "/api/v1/recordings", f"multipart/form-data; boundary={boundary}"
        parts = [
            (f'Content-Disposition: form-data; name="file"; filename="{quote(member.name)}"', member)
            for member in (file, *signals_of(file))
        ]
    heads = [f"--{boundary}\r\n{head}\r\n\r\n".encode() for head, _ in parts]
    end = f"--{boundary}--\r\n".encode()
    size = len(end) + sum(len(head) + _size(member) + len(CRLF) for head, (_, member) in zip(heads, parts, strict=True))

    def body() -> Iterator[bytes]:
        for head, (_, member) in zip(heads, parts, strict=True):
            yield head
            with member.open("rb") as content:
                yield from iter(lambda: content.read(BLOCK), b"")
            yield CRLF
        yield end

    connection.timeout = LONG_TIMEOUT_S if size > LONG_BYTES else TIMEOUT_S
    if connection.sock is not None:
        connection.sock.settimeout(connection.timeout)
    try:
        connection.request("POST", path, body(), {**headers, "Content-Type": kind, "Content-Length": str(size)})
        answer = connection.getresponse()
        said = answer.read()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        raise Unavailable(f"{connection.host}:{connection.port} cannot be reached: {error}") from error
    return _failure(answer.status, said)


def _failure(status: int, said: bytes) -> str:
    """Return why the server did not take it: the problem's detail, or the words of STOW-RS for it (PS3.18 Annex I.2)."""
    if status in (200, 201):
        return ""
    try:
        problem = json.loads(said)
        failures = problem.get("00081198", {}).get("Value")
        if status == STORED_OR_NOT and not failures:
            return ""  # stored with a warning
        failed = (failures or [{}])[0]
        sentence = str(problem.get("detail") or failed.get("00000902", {}).get("Value", [f"HTTP {status}"])[0])
        reason = int(failed.get("00081197", {}).get("Value", [0])[0])
    except (ValueError, AttributeError, IndexError, KeyError, TypeError):
        return f"the server answered HTTP {status}"
    return RefusedForGood(sentence) if status == UNPROCESSABLE or is_for_good(reason) else sentence
