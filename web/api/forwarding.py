"""Where objects are forwarded to, and how far each queue has come: for the administrator."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field
from sqlalchemy import Connection

from dicom_node.forwarding import queue
from dicom_node.forwarding.queue import Destination
from dicom_node.forwarding.rules import Rule, add_rule, remove_rule
from telemed.kernel.clock import Clock
from web.accounts.permissions import Permission
from web.api.operations import Call, Given, Operation
from web.api.pages import Page


class GivenRule(Given):
    """What goes to a destination; *institution* (an id) and *modality* empty for any, *reports*: signed reports alone."""

    institution: str = Field(default="", max_length=64)
    modality: str = Field(default="", max_length=16, pattern=r"^[A-Za-z0-9_ ]*$")
    reports: bool = False


@dataclass(frozen=True)
class Changed:
    """How many objects it was done to."""

    instances: int


async def list_destinations(call: Call[None, None]) -> Page[Destination]:
    """List every peer with its rules, its queue, its last error and when it is tried next."""
    return Page(await call.view(_destinations, call.chronicle.clock))


def _destinations(db: Connection, clock: Clock) -> list[Destination]:
    return queue.destinations(db, clock.now())


async def add_forwarding_rule(call: Call[None, GivenRule]) -> None:
    """Let what arrives from now on be forwarded to a peer."""
    await call.act(add_rule, _rule(call.part("ae_title"), call.body), actor=call.viewer.practitioner_id)


async def remove_forwarding_rule(call: Call[GivenRule, None]) -> None:
    """Strike a rule out; what it has queued is still sent."""
    await call.act(remove_rule, _rule(call.part("ae_title"), call.query), actor=call.viewer.practitioner_id)


def _rule(ae_title: str, given: GivenRule) -> Rule:
    return Rule(ae_title, given.institution, given.modality.upper().strip(), given.reports)


async def retry_forwarding(call: Call[None, None]) -> Changed:
    """Send what waits for a destination now, what was given up, too."""
    return Changed(await call.act(queue.retry, call.part("ae_title"), actor=call.viewer.practitioner_id))


async def cancel_forwarding(call: Call[None, None]) -> Changed:
    """Forget what waits for a destination."""
    return Changed(await call.act(queue.cancel, call.part("ae_title"), actor=call.viewer.practitioner_id))


OPERATIONS = (
    Operation("GET", "/forwarding", list_destinations, Permission.MANAGE_NODE),
    Operation("POST", "/forwarding/{ae_title}/rules", add_forwarding_rule, Permission.MANAGE_NODE),
    Operation("DELETE", "/forwarding/{ae_title}/rules", remove_forwarding_rule, Permission.MANAGE_NODE),
    Operation("POST", "/forwarding/{ae_title}/retry", retry_forwarding, Permission.MANAGE_NODE),
    Operation("POST", "/forwarding/{ae_title}/cancel", cancel_forwarding, Permission.MANAGE_NODE),
)
