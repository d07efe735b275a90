"""The couch gate: what the clinic is to record again, and its answer."""

from __future__ import annotations

from pydantic import Field

from consult.gate import actions, views
from consult.gate.model import Gate
from consult.gate.views import Card
from web.accounts.permissions import Permission
from web.api.operations import Call, Given, Operation


class Reason(Given):
    """Why a recording is sent as it is; may be empty where no repeat was asked for."""

    reason: str = Field(default="", max_length=actions.LONGEST_REASON)


async def open_gates(call: Call[None, None]) -> list[Card]:
    """Return the recordings of one's institution that wait to be repeated or kept, the newest first."""
    return await call.view(views.open_cards, call.viewer)


async def keep_recording(call: Call[None, Reason]) -> Gate:
    """Send a recording as it is, with the reason why it is not repeated. Nothing waited for it."""
    return await call.act(actions.keep, call.part("sop_instance_uid"), reason=call.body.reason, by=call.viewer)


OPERATIONS = (
    Operation("GET", "/recordings/gates", open_gates, Permission.SEND_STUDIES),
    Operation("POST", "/recordings/{sop_instance_uid}/keep", keep_recording, Permission.SEND_STUDIES),
)
