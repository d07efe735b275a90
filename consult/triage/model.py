"""Urgency from what was asked, what the machine saw, and who the patient is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from consult.requests.model import HOUSE_ZONE, Lane, Priority
from ecg.analysis import Severity, Text

#: From T0 to T5. Only the twenty minutes come from the policy papers; every one can be configured.
TARGETS: Mapping[Lane, timedelta] = {
    Lane.IMAGING: timedelta(minutes=20),
    Lane.ECG: timedelta(minutes=10),
    Lane.ECG_CRITICAL: timedelta(minutes=5),
    Lane.STROKE: timedelta(minutes=12),
    Lane.TRAUMA: timedelta(minutes=12),
    Lane.CHEST_PAIN: timedelta(minutes=12),
    Lane.MATERNAL: timedelta(minutes=12),
    Lane.ULTRASOUND: timedelta(minutes=20),
}

#: How long reading takes where a person's own readings do not tell yet.
READING: Mapping[Lane, timedelta] = {
    Lane.IMAGING: timedelta(minutes=8),
    Lane.ECG: timedelta(minutes=3),
    Lane.ECG_CRITICAL: timedelta(minutes=2),
    Lane.STROKE: timedelta(minutes=6),
    Lane.TRAUMA: timedelta(minutes=8),
    Lane.CHEST_PAIN: timedelta(minutes=5),
    Lane.MATERNAL: timedelta(minutes=6),
    Lane.ULTRASOUND: timedelta(minutes=8),
    Lane.PATHOLOGY: timedelta(minutes=20),
    Lane.MDT: timedelta(minutes=45),
}

#: A report left open over lunch says nothing about reading: nobody is taken to need longer.
LONGEST_READING = timedelta(hours=1)

#: How much earlier a priority is begun than its deadline asks for. Finite, so that whatever waits becomes first: nothing
#: that arrives later than this after it can stand before it.
HEAD_START: Mapping[Priority, timedelta] = {
    Priority.STAT: timedelta(minutes=60),
    Priority.ASAP: timedelta(minutes=30),
    Priority.URGENT: timedelta(minutes=10),
    Priority.ROUTINE: timedelta(),
}

MOST_STATEMENTS_SHOWN = 3

#: The lanes of an emergency are at least ASAP.
EMERGENCY_NAMES = {Lane.STROKE: "卒中", Lane.TRAUMA: "创伤", Lane.CHEST_PAIN: "胸痛", Lane.MATERNAL: "孕产"}

#: What an automatic statement of each severity is worth: the least priority, and the lane it opens.
AUTOMATIC = (
    (Severity.CRITICAL, Priority.STAT, Lane.ECG_CRITICAL),
    (Severity.ABNORMAL, Priority.URGENT, None),
)


@dataclass(frozen=True)
class Why:
    """One reason for the place in the queue; *code* for programs, *text* for people."""

    code: str
    text: Text

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Why:
        """Read back what was stored as JSON."""
        return cls(stored["code"], Text(**stored["text"]))


@dataclass(frozen=True)
class Statement:
    """One automatic statement about an ECG."""

    code: str
    severity: Severity
    text: Text


@dataclass(frozen=True)
class Analysis:
    """What became of the analysis of one ECG: the JSON of the public interface, or the sentence why there is none."""

    sop_instance_uid: str
    result: Mapping[str, Any] | None
    problem: str | None = None

    @property
    def statements(self) -> tuple[Statement, ...]:
        """The automatic statements, none when the analysis failed."""
        if self.result is None:
            return ()
        return tuple(
            Statement(stated["code"], Severity(stated["severity"]), Text(**stated["text"]))
            for stated in self.result["statements"]
        )


@dataclass(frozen=True)
class Urgency:
    """Where a consultation stands, and why."""

    priority: Priority
    lane: Lane
    why: tuple[Why, ...] = field(default=())


def urgency(
    priority: Priority,
    lane: Lane,
    *,
    analyses: Iterable[Analysis] = (),
    age_years: int | None = None,
    targets: Mapping[Lane, timedelta] = TARGETS,
) -> Urgency:
    """Return how urgent a consultation asked for at *priority* on *lane* is.

    Never less urgent than asked: reasons only raise the priority, and a lane is left only for one with a shorter target.
    """
    raised = list(_reasons(lane, tuple(analyses), age_years))
    for least, _, _ in raised:
        priority = min(priority, least, key=lambda each: each.rank)
    for _, quicker, _ in raised:
        if quicker is not None and targets[quicker] < targets.get(lane, timedelta.max):
            lane = quicker
    return Urgency(priority, lane, tuple(why for _, _, why in raised))


def begin_by(due_at: datetime, priority: Priority, reading: timedelta) -> datetime:
    """Return when reading should begin at the latest, less the head start of the priority: the queue stands in its order.

    It holds the age of a request and the time that is left in one moment that does not move while time passes. No stream of
    others can starve a task: whatever is placed after its `begin_by` plus the longest head start and reading stands behind it.
    """
    return due_at - reading - HEAD_START[priority]


def standing(priority: Priority, due_at: datetime, reading: timedelta) -> tuple[Why, ...]:
    """Return why a task stands where it does, one sentence for each of time, reading and priority."""
    due, latest = (at.astimezone(HOUSE_ZONE) for at in (due_at, due_at - reading))
    minutes, lead = round(reading.total_seconds() / 60), round(HEAD_START[priority].total_seconds() / 60)
    found = [
        Why("due", Text(f"时限 {due:%m-%d %H:%M}", f"due {due:%m-%d %H:%M} ({HOUSE_ZONE})")),
        Why(
            "reading",
            Text(f"预计阅片 {minutes} 分钟，最迟 {latest:%H:%M} 开始", f"reading takes {minutes} min: begin by {latest:%H:%M}"),
        ),
    ]
    if lead:
        found.append(Why("head-start", Text(f"优先级提前 {lead} 分钟排序", f"the priority puts it {lead} min ahead")))
    return tuple(found)


def _reasons(lane: Lane, analyses: tuple[Analysis, ...], age_years: int | None) -> Iterator[tuple[Priority, Lane | None, Why]]:
    if lane in EMERGENCY_NAMES:
        text = Text(f"急诊通道：{EMERGENCY_NAMES[lane]}", f"emergency lane: {lane}")
        yield Priority.ASAP, None, Why("emergency-lane", text)
    if age_years is not None and age_years < 1:
        yield Priority.URGENT, None, Why("infant", Text("婴儿（不足一岁）", "infant, under one year"))
    stated_once = {(stated.code, stated.severity): stated for analysis in analyses for stated in analysis.statements}
    for severity, least, quicker in AUTOMATIC:
        for stated in [each for each in stated_once.values() if each.severity is severity][:MOST_STATEMENTS_SHOWN]:
            text = Text(f"心电自动提示（非诊断）：{stated.text.zh}", f"automatic ECG hint, no diagnosis: {stated.text.en}")
            yield least, quicker, Why(f"ecg-{severity}:{stated.code}", text)
    for analysis in analyses:
        if analysis.problem is not None:
            text = Text(f"心电图未能自动分析：{analysis.problem}", f"this ECG could not be analysed: {analysis.problem}")
            yield Priority.ROUTINE, None, Why("ecg-not-analysed", text)
