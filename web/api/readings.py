"""Second readings: what was written before the final report, how it compares, and which tasks are read twice."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field

from consult.practitioners.model import Role
from consult.queue.views import Task
from consult.readings import actions, views
from consult.readings.model import Radpeer, ReadingRule
from consult.readings.views import Shown
from consult.reports.model import Report
from consult.requests.model import Lane
from web import keys
from web.accounts.permissions import Permission
from web.api.operations import Call, Given, Operation
from web.api.pages import Page
from web.api.reports import confirmed, maker_of


class Scored(Given):
    """How far two readings differ, where, and the password of whoever says so."""

    score: Radpeer
    comment: str = Field(default="", max_length=actions.LONGEST_COMMENT)
    password: str = Field(max_length=1000)


class NewReadingRule(Given):
    """Which tasks are read twice: those that are everything that is named."""

    agreement_id: str | None = Field(default=None, max_length=64)
    specialty: Role | None = None
    lane: Lane | None = None


@dataclass(frozen=True)
class Compared:
    """The final report, null where the readings differ in what matters and a third is asked."""

    report: Report | None


async def task_readings(call: Call[None, None]) -> Shown:
    """Return whether a task is read twice, and what was signed before its report; another's is withheld until one's own is."""
    now = call.request.app[keys.CLOCK].now()
    return await call.view(views.readings, call.viewer, call.part("task_id"), now)


async def compare_readings(call: Call[None, Scored]) -> Compared:
    """Compare two readings by RADPEER's scale: the report is final, or a third reads the study."""
    await confirmed(call, call.body.password)
    done = await call.off_loop(
        actions.compare,
        call.request.app[keys.DATABASE],
        call.chronicle,
        call.part("task_id"),
        maker_of(call),
        score=call.body.score,
        comment=call.body.comment,
        by=call.viewer,
    )
    return Compared(done)


async def ask_second_reading(call: Call[None, None]) -> Task:
    """Let a task be read twice; until its first reading is signed."""
    return await call.act(actions.ask_for_second, call.part("task_id"), by=call.viewer)


async def list_reading_rules(call: Call[None, None]) -> Page[ReadingRule]:
    """List the rules by which tasks are read twice."""
    return Page(await call.view(views.rules))


async def add_reading_rule(call: Call[None, NewReadingRule]) -> ReadingRule:
    """Let every task of an agreement, a specialty, a lane, or of all that are named, be read twice."""
    return await call.act(actions.add_rule, **dict(call.body), by=call.viewer)


async def remove_reading_rule(call: Call[None, None]) -> None:
    """Let a rule hold no more."""
    await call.act(actions.remove_rule, call.part("rule_id"), by=call.viewer)


OPERATIONS = (
    Operation("GET", "/tasks/{task_id}/readings", task_readings, Permission.READ_TASKS),
    Operation("POST", "/tasks/{task_id}/comparison", compare_readings, Permission.WRITE_REPORTS),
    Operation("POST", "/tasks/{task_id}/second-reading", ask_second_reading, Permission.READ_TASKS),
    Operation("GET", "/reading-rules", list_reading_rules, Permission.READ_ROTA),
    Operation("POST", "/reading-rules", add_reading_rule, Permission.MANAGE_NODE, status=201),
    Operation("DELETE", "/reading-rules/{rule_id}", remove_reading_rule, Permission.MANAGE_NODE),
)
