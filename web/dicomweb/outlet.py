"""The way of stored files into an answer: from file to socket by the kernel, in a thread while the reader keeps pace.

A thread sends a series in a fraction of what its parts cost an event loop. For a reader who is slow none is kept: the loop
waits until there is room again.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from dicom_node.imaging.layout import Span
from web.api.transact import off_loop

#: What an answer is put together of: bytes, or a stretch of a file.
Piece = bytes | tuple[Path, Span]

#: A thread waits so long for a reader, and sends for so long until others have their turn.
_PATIENCE_MS, _TURN_S = 10, 0.1


class Outlet:
    """The connection of an answer, by a descriptor of its own: that of a connection that is closed may soon be another's."""

    def __init__(self, connection: socket.socket, pieces: Iterable[Piece]) -> None:
        """Prepare to send *pieces* to *connection*, which does not block, and to which nobody else writes meanwhile."""
        self._left = deque(pieces)
        self._begun = 0  # of the first that is left
        self._socket = connection.dup()
        self._room = select.poll()
        self._room.register(self._socket, select.POLLOUT)
        self._using = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._using:  # whoever is cancelled leaves a thread behind, for a turn
            self._socket.close()

    async def send(self, request: web.Request) -> None:
        """Send all; ConnectionError when the reader is gone, EOFError when a file is shorter than its stretch."""
        while not await off_loop(request, self._sent):
            await self._has_room()

    def _sent(self) -> bool:
        """Send what the reader takes without delay; tell whether that was all."""
        with self._using:
            until = time.monotonic() + _TURN_S
            while self._left:
                if not self._went(self._left[0], until):
                    return False
                self._left.popleft()
                self._begun = 0
        return True

    def _went(self, piece: Piece, until: float) -> bool:
        if isinstance(piece, bytes):
            more = socket.MSG_MORE if len(self._left) > 1 else 0
            return self._pushed(len(piece), lambda at: self._socket.send(piece[at:], more), until)
        path, span = piece
        with path.open("rb", buffering=0) as file:
            ends = self._socket.fileno(), file.fileno()
            return self._pushed(span.length, lambda at: os.sendfile(*ends, span.offset + at, span.length - at), until)

    def _pushed(self, length: int, push: Callable[[int], int], until: float) -> bool:
        while self._begun < length:
            try:
                count = push(self._begun)
            except BlockingIOError:
                if time.monotonic() > until or not self._room.poll(_PATIENCE_MS):
                    return False
                continue
            except TimeoutError as error:  # `web.deadlines.TAKES_WITHIN_S` has gone by
                raise ConnectionResetError("the reader takes nothing") from error
            if not count:
                raise EOFError("a file is shorter than its index says")
            self._begun += count
        return True

    async def _has_room(self) -> None:
        loop = asyncio.get_running_loop()
        there: asyncio.Future[None] = loop.create_future()

        def tell() -> None:
            if not there.done():
                there.set_result(None)

        loop.add_writer(self._socket, tell)
        try:
            await there
        finally:
            loop.remove_writer(self._socket)
