"""The socket of a round: who is there, their media offers, and the one view all of them share.

Messages are JSON objects with a "type". From a browser:

publish {sdp}            its offer to send          -> published {sdp}
watch {who, sdp}         its offer to receive *who*  -> watching {who, sdp}
view {state}             what it now shows: kept, and passed to all others; the server counts them in `revision`
point {pointer}          where it points: passed on, never kept
media {audio, video}     whether its microphone and camera are on

To a browser: welcome {you, participants, view}, came {participant}, gone {id}, publishing {id}, media {id, audio, video},
view {by, revision, state}, point {by, pointer}, refused {sentence}, closed {}.

What one scrolls, all see: the last view wins, in the order in which the server heard them, and each browser draws the
same frame from its own pixels; no pixels travel here.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

from aiohttp import WSCloseCode, WSMsgType, web
from pydantic_core import from_json

from consult.practitioners.model import Viewer
from consult.rounds import actions
from telemed.kernel.errors import TelemedError, Unavailable
from web import keys
from web.api.transact import transact
from web.live.hub import SESSION_ENDED
from web.rtc.peer import Peer
from web.security import SIGNED_IN, viewer_of

log = logging.getLogger(__name__)

#: An offer of two tracks has about 8 KB; nothing else comes near.
LARGEST_MESSAGE = 64 * 1024
#: A hand moves 60 times a second; faster is a program gone wrong.
MESSAGES_A_SECOND = 120
#: How long somebody may be away (a reload, a change of network) before the others are told they left.
HEARTBEAT_S = 10.0
#: Somebody who is gone is written down as gone, however long the database is away.
AGAIN_S = 1.0
#: More waiting than this means a line that cannot follow; it is closed and comes back.
MOST_WAITING = 500


@dataclass(eq=False)
class Seat:
    """One participant's place at the table."""

    id: str
    name: str
    #: Names the session it belongs to: the seat is given up when that ends.
    session: str
    peer: Peer
    #: What is to be written; None ends the seat.
    waiting: asyncio.Queue[str | None] = field(default_factory=lambda: asyncio.Queue(MOST_WAITING))
    audio: bool = False
    video: bool = False

    def as_json(self) -> dict[str, Any]:
        """Show the participant to the others."""
        return {"id": self.id, "name": self.name, "publishing": self.peer.is_publishing, "audio": self.audio, "video": self.video}

    def tell(self, message: Mapping[str, Any]) -> None:
        """Queue a message; a line that cannot follow loses its place rather than its order."""
        with contextlib.suppress(asyncio.QueueFull):
            self.waiting.put_nowait(json.dumps(message, ensure_ascii=False))


@dataclass(eq=False)
class Table:
    """Everybody in one round, and what they look at."""

    seats: dict[str, Seat] = field(default_factory=dict)
    view: dict[str, Any] | None = None
    revision: int = 0
    #: Held by who comes or goes, until the database and the seats agree again.
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def tell_others(self, teller: Seat, message: Mapping[str, Any]) -> None:
        """Send *message* to everybody but *teller*."""
        for seat in self.seats.values():
            if seat is not teller:
                seat.tell(message)


class Tables:
    """The rounds that have somebody in them, in this process."""

    def __init__(self, ice_servers: tuple[str, ...] = ()) -> None:
        self.ice_servers = ice_servers
        self._tables: WeakValueDictionary[str, Table] = WeakValueDictionary()

    def table(self, round_id: str) -> Table:
        """Return the round's table, laid at the first need; it is there as long as somebody comes, sits or goes."""
        return self._tables.setdefault(round_id, Table())

    def closed(self, round_id: str) -> None:
        """Tell everybody that the round has ended."""
        for seat in self.table(round_id).seats.values():
            seat.tell({"type": "closed"})

    def end(self, session: str) -> None:
        """Give up the seats of a session that was ended."""
        for table in tuple(self._tables.values()):
            for seat in table.seats.values():
                if seat.session == session:
                    with contextlib.suppress(asyncio.QueueFull):
                        seat.waiting.put_nowait(None)

    async def close(self) -> None:
        """End every connection, at the server's stop."""
        for table in tuple(self._tables.values()):
            for seat in tuple(table.seats.values()):
                await seat.peer.close()


TABLES = web.AppKey("tables", Tables)


async def signal(request: web.Request) -> web.WebSocketResponse:
    """Seat the viewer at the round's table for as long as the socket lives."""
    viewer, round_id = viewer_of(request), request.match_info["round_id"]
    tables = request.app[TABLES]
    table = tables.table(round_id)
    socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S, max_msg_size=LARGEST_MESSAGE, compress=False)
    if not socket.can_prepare(request):  # it would take a chair and never sit on it
        raise web.HTTPBadRequest(text="this address is a WebSocket's")
    async with table.changing:
        participant = await transact(request, _join, request.app, round_id, viewer)
        seat = Seat(participant, viewer.name, request[SIGNED_IN].digest, Peer(tables.ice_servers))
        replaced, table.seats[seat.id] = table.seats.get(seat.id), seat
    try:
        if replaced is not None:  # the same person came back before the old socket was missed
            table.tell_others(seat, {"type": "gone", "id": seat.id})
            await replaced.peer.close()
        await socket.prepare(request)
        await _sit(socket, table, seat)
    finally:
        try:
            await _rise(request, round_id, table, seat)
        finally:
            await seat.peer.close()
    return socket


async def _sit(socket: web.WebSocketResponse, table: Table, seat: Seat) -> None:
    seat.tell({"type": "welcome", "you": seat.id, "participants": _others(table, seat), "view": table.view})
    table.tell_others(seat, {"type": "came", "participant": seat.as_json()})
    writing = asyncio.ensure_future(_write(socket, seat))
    try:
        await _read(socket, table, seat)
    finally:
        writing.cancel()


async def _rise(request: web.Request, round_id: str, table: Table, seat: Seat) -> None:
    """Give the seat up, unless the same person has come back to it meanwhile."""
    async with table.changing:
        if table.seats.get(seat.id) is not seat:
            return
        del table.seats[seat.id]
        table.tell_others(seat, {"type": "gone", "id": seat.id})
        await _gone(request, round_id)
    for other in tuple(table.seats.values()):
        await other.peer.unwatch(seat.id)


async def _gone(request: web.Request, round_id: str) -> None:
    """Write down that the viewer is gone: a chair that nobody gives back is taken for good."""
    while True:
        try:
            return await transact(request, _leave, request.app, round_id, viewer_of(request))
        except Unavailable as error:
            log.warning("who left a round is written down later: %s", error.sentence)
            await asyncio.sleep(AGAIN_S)


def _join(db: Any, app: web.Application, round_id: str, viewer: Viewer) -> str:  # noqa: ANN401 - the connection of transact
    return actions.join(db, app[keys.CHRONICLE], round_id, by=viewer)


def _leave(db: Any, app: web.Application, round_id: str, viewer: Viewer) -> None:  # noqa: ANN401 - see _join
    actions.leave(db, app[keys.CHRONICLE], round_id, by=viewer)


def _others(table: Table, seat: Seat) -> list[dict[str, Any]]:
    return [other.as_json() for other in table.seats.values() if other is not seat]


async def _write(socket: web.WebSocketResponse, seat: Seat) -> None:
    with contextlib.suppress(ConnectionError):
        while True:
            message = await seat.waiting.get()
            if message is None:
                await socket.close(code=SESSION_ENDED, message=b"signed out")
                return
            await socket.send_str(message)
            if seat.waiting.full():
                await socket.close(code=WSCloseCode.TRY_AGAIN_LATER, message=b"too slow")
                return


async def _read(socket: web.WebSocketResponse, table: Table, seat: Seat) -> None:
    second, heard = 0, 0
    async for message in socket:
        if table.seats.get(seat.id) is not seat:  # the same person has come back by another socket
            return
        if message.type is not WSMsgType.TEXT:
            continue
        now = int(time.monotonic())
        second, heard = (second, heard + 1) if now == second else (now, 1)
        if heard > MESSAGES_A_SECOND:
            await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"too many messages")
            return
        try:
            # Stricter than json: what it takes beyond JSON would be passed on to browsers that do not.
            content = from_json(message.data, allow_inf_nan=False)
            answer = ANSWERS[content["type"]]
        except (ValueError, KeyError, TypeError):
            seat.tell({"type": "refused", "sentence": "this message is not understood here"})
            continue
        try:
            await answer(table, seat, content)
        except (KeyError, TypeError, ValueError) as error:
            seat.tell({"type": "refused", "sentence": f"the message {content['type']} lacks {error}"})
        except TelemedError as error:
            seat.tell({"type": "refused", "sentence": error.sentence})


async def _publish(table: Table, seat: Seat, message: Mapping[str, Any]) -> None:
    seat.tell({"type": "published", "sdp": await seat.peer.publish(str(message["sdp"]))})
    table.tell_others(seat, {"type": "publishing", "id": seat.id})


async def _watch(table: Table, seat: Seat, message: Mapping[str, Any]) -> None:
    who = str(message["who"])
    publisher = table.seats.get(who)
    if publisher is None or not publisher.peer.is_publishing or publisher is seat:
        seat.tell({"type": "refused", "sentence": "they send nothing just now"})
        return
    seat.tell({"type": "watching", "who": who, "sdp": await seat.peer.watch(who, publisher.peer, str(message["sdp"]))})


async def _view(table: Table, seat: Seat, message: Mapping[str, Any]) -> None:
    table.revision += 1
    table.view = {"by": seat.id, "revision": table.revision, "state": dict(message["state"])}
    table.tell_others(seat, {"type": "view", **table.view})


async def _point(table: Table, seat: Seat, message: Mapping[str, Any]) -> None:
    table.tell_others(seat, {"type": "point", "by": seat.id, "pointer": message["pointer"]})


async def _media(table: Table, seat: Seat, message: Mapping[str, Any]) -> None:
    seat.audio, seat.video = message["audio"] is True, message["video"] is True
    table.tell_others(seat, {"type": "media", "id": seat.id, "audio": seat.audio, "video": seat.video})


ANSWERS = {"publish": _publish, "watch": _watch, "view": _view, "point": _point, "media": _media}
