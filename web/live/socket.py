"""/api/v1/live: the log's events over a WebSocket, to one person, for as long as they are signed in.

The server sends ``{"type", "at", "data", "cursor"}``, first a ``Connected``. The client may begin with ``{"after": cursor}``
to be sent what it missed (or a ``Resync`` when that is too long ago: read everything anew), and says ``{"shown": report_id}``
when the news of a report is on its screen: that is T5.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web
from pydantic_core import from_json

from consult.delivery.actions import delivered
from telemed.kernel.clock import rfc3339
from telemed.kernel.errors import TelemedError
from web import keys
from web.accounts import sessions
from web.api.transact import consult_view, off_loop, transact
from web.live.hub import SESSION_ENDED, Listener
from web.security import SIGNED_IN

log = logging.getLogger(__name__)

HEARTBEAT_S = 25
#: How long a client may take to say from where it resumes before the news begins.
FIRST_WORD_S = 1.0
#: How often the session is looked up again: whoever lost it loses the socket within this time.
CHECK_S = 20
LARGEST_MESSAGE = 4096


async def live(request: web.Request) -> web.WebSocketResponse:
    """Send the news until either side ends."""
    socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S, max_msg_size=LARGEST_MESSAGE)
    await socket.prepare(request)
    hub = request.app[keys.HUB]
    listener = hub.listen(request[SIGNED_IN])
    began = asyncio.Event()
    reading = asyncio.create_task(_read(request, socket, listener, began))
    writing = asyncio.create_task(_write(request, socket, listener, began))
    watching = asyncio.create_task(_watch(request, listener))
    try:
        await asyncio.wait({reading, writing}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        hub.leave(listener)
        for task in (reading, writing, watching):
            task.cancel()
        ends = await asyncio.gather(reading, writing, watching, return_exceptions=True)
    # Closed here, when nobody reads any more: a close under another task's read can lose its code.
    code = next((end for end in ends if isinstance(end, int)), None)
    if code is not None:
        await socket.close(code=code, message=b"sign in again" if code == SESSION_ENDED else b"")
    for end in ends:
        if isinstance(end, Exception) and not isinstance(end, ConnectionError):
            raise end
    return socket


async def _read(request: web.Request, socket: web.WebSocketResponse, listener: Listener, began: asyncio.Event) -> int | None:
    """Listen until the client ends, and return None; or the code with which to send it away."""
    async for message in socket:
        if message.type is not WSMsgType.TEXT:
            return WSCloseCode.UNSUPPORTED_DATA
        try:
            said = from_json(message.data, allow_inf_nan=False)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            return WSCloseCode.INVALID_TEXT
        if type(said.get("after")) is int:
            await _replay(request, socket, listener, said["after"])
        began.set()
        if isinstance(said.get("shown"), str):
            await _shown(request, socket, listener, said["shown"][:64])
    return None


async def _write(request: web.Request, socket: web.WebSocketResponse, listener: Listener, began: asyncio.Event) -> int | None:
    """Send the news until the connection is gone, and return None; or the code with which to send the client away."""
    with suppress(TimeoutError):
        await asyncio.wait_for(began.wait(), FIRST_WORD_S)
    now = request.app[keys.CLOCK].now()
    with suppress(ConnectionError):
        await _send(socket, listener, "Connected", now, {})
        while True:
            news = await listener.waiting.get()
            if isinstance(news, int):
                return news
            listener.position = max(listener.position, news.position)
            await _send(socket, listener, news.type, news.at, news.data)
    return None


async def _send(socket: web.WebSocketResponse, listener: Listener, type_: str, at: datetime, data: Mapping[str, Any]) -> None:
    content = {"type": type_, "at": rfc3339(at), "data": data, "cursor": listener.position}
    await socket.send_str(json.dumps(content, ensure_ascii=False))


async def _replay(request: web.Request, socket: web.WebSocketResponse, listener: Listener, after: int) -> None:
    """Send what was missed between *after* and the moment the socket began to listen."""
    missed = await off_loop(request, request.app[keys.HUB].missed, listener.signed_in.viewer, after, listener.position)
    with suppress(ConnectionError):
        if missed is None:
            await _send(socket, listener, "Resync", request.app[keys.CLOCK].now(), {})
            return
        for event in missed:
            content = {"type": event.type, "at": rfc3339(event.at), "data": event.data, "cursor": event.position}
            await socket.send_str(json.dumps(content, ensure_ascii=False))


async def _shown(request: web.Request, socket: web.WebSocketResponse, listener: Listener, report_id: str) -> None:
    """Stamp T5; a report that is not this viewer's, or not there, is answered with a `Problem`."""
    chronicle = request.app[keys.CHRONICLE]
    try:
        await transact(request, delivered, chronicle, report_id, by=listener.signed_in.viewer)
    except TelemedError as error:
        problem = {"report_id": report_id, "code": error.code, "detail": error.sentence}
        with suppress(ConnectionError):
            await _send(socket, listener, "Problem", request.app[keys.CLOCK].now(), problem)


async def _watch(request: web.Request, listener: Listener) -> None:
    """End the socket when its session has ended; a token is looked at when it is used."""
    signed_in = listener.signed_in
    while signed_in.by_cookie:
        await asyncio.sleep(CHECK_S)
        now = request.app[keys.CLOCK].now()
        try:
            if await consult_view(request, sessions.signed_in_by_digest, signed_in.digest, now) is None:
                listener.end(SESSION_ENDED)
                return
        except TelemedError as error:
            log.warning("a live socket's session could not be checked: %s", error.sentence)
