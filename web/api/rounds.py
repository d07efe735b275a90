"""Rounds: opened, joined, left, closed; and a calendar entry for each."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web
from pydantic import Field
from sqlalchemy import Connection

from consult import access
from consult.practitioners.model import Viewer
from consult.rounds import actions, views
from consult.rounds.views import Round
from telemed.kernel.audit import Chronicle
from telemed.kernel.clock import rfc3339
from web.accounts.permissions import Permission
from web.api.operations import PREFIX, Call, Given, Operation
from web.api.pages import Page
from web.rtc.signalling import TABLES

ROUND_HOURS = 1


class RoundGiven(Given):
    """What a round is about and who else is invited."""

    study_instance_uid: str = Field(min_length=1, max_length=64)
    title: str = Field(min_length=1, max_length=200)
    invited: tuple[str, ...] = Field(
        default=(), max_length=20, description="ids of institutions beyond the study's and one's own"
    )


@dataclass(frozen=True)
class Joined:
    """How to come to the table."""

    participant_id: str
    ice_servers: tuple[str, ...]
    signalling: str


async def list_rounds(call: Call[None, None]) -> Page[Round]:
    """List the rounds one's institution is invited to, open ones first."""
    return Page(await call.view(views.rounds, call.viewer, call.chronicle.clock.now()))


async def get_round(call: Call[None, None]) -> Round:
    """Return one round."""
    return await call.view(views.round_of, call.viewer, call.part("round_id"))


async def open_round(call: Call[None, RoundGiven]) -> Round:
    """Open a round over a study that one may read."""
    return await call.act(_open, call.viewer, call.body)


def _open(db: Connection, chronicle: Chronicle, viewer: Viewer, given: RoundGiven) -> Round:
    holder = access.may_read_study(db, viewer, given.study_instance_uid)
    opened = actions.open_round(
        db,
        chronicle,
        title=given.title,
        institution_id=holder,
        study_instance_uid=given.study_instance_uid,
        invited=given.invited,
        by=viewer,
    )
    return views.round_of(db, viewer, opened.id)


async def join_round(call: Call[None, None]) -> Joined:
    """Take a seat in a round."""
    round_id = call.part("round_id")
    participant = await call.act(actions.join, round_id, by=call.viewer)
    return Joined(participant, call.request.app[TABLES].ice_servers, f"{PREFIX}/rounds/{round_id}/signal")


async def leave_round(call: Call[None, None]) -> None:
    """Leave a round."""
    await call.act(actions.leave, call.part("round_id"), by=call.viewer)


async def close_round(call: Call[None, None]) -> Round:
    """End a round for everybody."""
    round_id = call.part("round_id")
    await call.act(actions.close, round_id, by=call.viewer)
    call.request.app[TABLES].closed(round_id)
    return await call.view(views.round_of, call.viewer, round_id)


async def get_round_calendar(call: Call[None, None]) -> web.Response:
    """Return the round as a calendar entry (RFC 5545), which names no patient."""
    found = await call.view(views.round_of, call.viewer, call.part("round_id"))
    begin = rfc3339(found.opened_at)[:19].replace("-", "").replace(":", "") + "Z"
    lines = (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//telemed//rounds//ZH",
        "METHOD:PUBLISH",
        "BEGIN:VEVENT",
        f"UID:{found.id}@telemed",
        f"DTSTAMP:{begin}",
        f"DTSTART:{begin}",
        f"DURATION:PT{ROUND_HOURS}H",
        f"SUMMARY:{_escaped(found.title)}",
        f"LOCATION:{call.request.url.origin()}/rounds/{found.id}",
        f"STATUS:{'CONFIRMED' if found.closed_at is None else 'CANCELLED'}",
        f"SEQUENCE:{0 if found.closed_at is None else 1}",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    )
    return web.Response(text="\r\n".join(_folded(line) for line in lines), content_type="text/calendar", charset="utf-8")


def _escaped(text: str) -> str:
    """Escape a TEXT value (RFC 5545 section 3.3.11)."""
    kept = "".join(character if character.isprintable() else " " for character in text)
    return kept.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")


def _folded(line: str) -> str:
    """Fold a line into pieces of at most 75 octets (RFC 5545 section 3.1), never inside a character."""
    pieces, size = [""], 0
    for character in line:
        width = len(character.encode())
        if size + width > 73:
            pieces.append("")
            size = 0
        pieces[-1] += character
        size += width
    return "\r\n ".join(pieces)


OPERATIONS = (
    Operation("GET", "/rounds", list_rounds, Permission.MEET),
    Operation("POST", "/rounds", open_round, Permission.MEET, status=201),
    Operation("GET", "/rounds/{round_id}.ics", get_round_calendar, Permission.MEET, produces="text/calendar"),
    Operation("GET", "/rounds/{round_id}", get_round, Permission.MEET),
    Operation("POST", "/rounds/{round_id}/join", join_round, Permission.MEET),
    Operation("POST", "/rounds/{round_id}/leave", leave_round, Permission.MEET),
    Operation("POST", "/rounds/{round_id}/close", close_round, Permission.MEET),
)
