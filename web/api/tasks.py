"""The queue: what waits, who reads it, and the verbs that move it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from consult.queue import actions
from consult.queue import views as queue
from consult.queue.forecast import Forecast
from consult.queue.model import Declined, TaskStatus
from consult.queue.views import Task
from consult.requests.model import Lane
from consult.sections import actions as sections
from consult.turnaround import views as clock
from consult.turnaround.model import Turnaround
from web import keys
from web.accounts.permissions import Permission
from web.api.operations import Call, Given, Operation
from web.api.pages import PageQuery


def _several(value: object) -> object:
    """Take one word, or several between commas."""
    return [word for word in value.split(",") if word] or None if isinstance(value, str) else value


class QueueQuery(PageQuery):
    """Which tasks; no status means the open ones, several are parted by commas."""

    status: Annotated[tuple[TaskStatus, ...] | None, BeforeValidator(_several)] = None
    lane: Annotated[Lane | None, BeforeValidator(lambda value: value or None)] = None


class Declining(Given):
    """Why a task is sent back."""

    code: Declined
    reason: str = Field(max_length=actions.LONGEST_REASON)


class TakingOver(Given):
    """Why a task is taken from a colleague."""

    reason: str = Field(max_length=actions.LONGEST_REASON)


class Asking(Given):
    """What the clinic has to tell, or to send again."""

    question: str = Field(max_length=actions.LONGEST_REASON)


class Answering(Given):
    """What the clinic says to it."""

    answer: str = Field(max_length=actions.LONGEST_REASON)


class HandingOver(Given):
    """To whom a task is given, by their id."""

    to: str = Field(max_length=64)


async def list_tasks(call: Call[QueueQuery, None]) -> queue.Page:
    """List the queue, most urgent first."""
    query = call.query
    return await call.view(queue.queue, call.viewer, status=query.status, lane=query.lane, limit=query.limit, cursor=query.cursor)


async def get_task(call: Call[None, None]) -> Task:
    """Return one task."""
    return await call.view(queue.task, call.viewer, call.part("task_id"))


async def claim_task(call: Call[None, None]) -> Task:
    """Take a waiting task; of two who do so at one instant one wins, the other gets 409."""
    return await call.act(actions.claim, call.part("task_id"), by=call.viewer)


async def release_task(call: Call[None, None]) -> Task:
    """Put a held task back into the queue."""
    return await call.act(actions.release, call.part("task_id"), by=call.viewer)


async def start_task(call: Call[None, None]) -> Task:
    """Begin to read a claimed task."""
    return await call.act(actions.start, call.part("task_id"), by=call.viewer)


async def decline_task(call: Call[None, Declining]) -> None:
    """Send a task back with a coded reason; it is dispatched again."""
    await call.act(actions.decline, call.part("task_id"), code=call.body.code, reason=call.body.reason, by=call.viewer)


async def hand_over_task(call: Call[None, HandingOver]) -> Task:
    """Give a held task to a colleague of the same specialty."""
    return await call.act(actions.handover, call.part("task_id"), to=call.body.to, by=call.viewer)


async def take_over_task(call: Call[None, TakingOver]) -> Task:
    """Take a task that a colleague holds, draft and all; they are told why."""
    return await call.act(actions.take_over, call.part("task_id"), reason=call.body.reason, by=call.viewer)


async def renew_claims(call: Call[None, None]) -> tuple[str, ...]:
    """Renew one's claims of tasks and regions, which end 90 seconds after the last time, and return the ids of one's tasks."""
    return await call.act(sections.renew, by=call.viewer)


async def ask_about_task(call: Call[None, Asking]) -> Task:
    """Ask the clinic; the task is on hold and its deadline waits until they answer."""
    return await call.act(actions.ask, call.part("task_id"), question=call.body.question, by=call.viewer)


async def answer_about_task(call: Call[None, Answering]) -> Task:
    """Answer the reader's question; the clock runs on."""
    return await call.act(actions.answer, call.part("task_id"), answer=call.body.answer, by=call.viewer)


async def task_questions(call: Call[None, None]) -> tuple[queue.Question, ...]:
    """Return what was asked and answered about a task, the oldest first."""
    return await call.view(queue.questions, call.viewer, call.part("task_id"))


async def task_forecast(call: Call[None, None]) -> Forecast | None:
    """Return when the report is expected and how likely it is late; null while nobody can tell, or none is awaited."""
    now = call.request.app[keys.CLOCK].now()
    return await call.view(queue.forecast_of, call.viewer, call.part("task_id"), now)


async def task_turnaround(call: Call[None, None]) -> Turnaround:
    """Return T0 to T6 of a task, its budget, and what has elapsed of it."""
    now = call.request.app[keys.CLOCK].now()
    return await call.view(clock.turnaround, call.viewer, call.part("task_id"), now)


OPERATIONS = (
    Operation("GET", "/tasks", list_tasks, Permission.READ_TASKS),
    Operation("GET", "/tasks/{task_id}", get_task, Permission.READ_TASKS),
    Operation("POST", "/tasks/{task_id}/claim", claim_task, Permission.WORK_TASKS),
    Operation("POST", "/tasks/{task_id}/release", release_task, Permission.MOVE_TASKS),
    Operation("POST", "/tasks/{task_id}/start", start_task, Permission.WORK_TASKS),
    Operation("POST", "/tasks/{task_id}/decline", decline_task, Permission.WORK_TASKS),
    Operation("POST", "/tasks/{task_id}/handover", hand_over_task, Permission.MOVE_TASKS),
    Operation("POST", "/tasks/{task_id}/take-over", take_over_task, Permission.WORK_TASKS),
    Operation("POST", "/tasks/renew", renew_claims, Permission.WORK_TASKS),
    Operation("POST", "/tasks/{task_id}/ask", ask_about_task, Permission.WORK_TASKS),
    Operation("POST", "/tasks/{task_id}/answer", answer_about_task, Permission.REQUEST),
    Operation("GET", "/tasks/{task_id}/questions", task_questions, Permission.READ_TASKS),
    Operation("GET", "/tasks/{task_id}/forecast", task_forecast, Permission.READ_TASKS),
    Operation("GET", "/tasks/{task_id}/turnaround", task_turnaround, Permission.READ_TASKS),
)
