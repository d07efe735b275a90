"""How long a connection may do nothing: descriptors are few, and whoever says no more is not waited for."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable
from typing import TypeVar

from aiohttp import web

T = TypeVar("T")

#: From its beginning, or the last answer, until a request's headers are whole. Longer than the 60 s a proxy keeps one by default.
ASKS_WITHIN_S = 75
#: A body of at most a megabyte.
BODY_WITHIN_S = 60
#: The next piece of a longer one: a thin uplink has hours for a study, but not for nothing.
PIECE_WITHIN_S = 60
#: Any more of an answer. A browser whose film is paused takes none; one that asks again is answered by range.
TAKES_WITHIN_S = 300


async def in_time(coming: Awaitable[T], seconds: float | None = None) -> T:
    """Return what is *coming* within *seconds*, `PIECE_WITHIN_S` unless told; answer 408 otherwise."""
    try:
        async with asyncio.timeout(PIECE_WITHIN_S if seconds is None else seconds):
            return await coming
    except TimeoutError:
        raise web.HTTPRequestTimeout from None


async def limit_taking(request: web.Request, _response: web.StreamResponse) -> None:
    """Let the kernel end the connection of somebody who takes nothing of an answer, or is gone without a word (RFC 5482)."""
    connection = None if request.transport is None else request.transport.get_extra_info("socket")
    if connection is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, TAKES_WITHIN_S * 1000)
