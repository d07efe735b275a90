"""What may be wrong with a recording that a nurse can mend, which electrode it is, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from ecg.analysis import Text

#: A standard recording is ten seconds long at 250 Hz or more; a file that lost its last beat is not sent back for it.
SHORTEST_S, LONGEST_S, SLOWEST_HZ = 9.5, 300, 250

#: The electrodes whose difference a limb lead is (Einthoven).
LIMB = {"I": frozenset({"RA", "LA"}), "II": frozenset({"RA", "LL"}), "III": frozenset({"LA", "LL"})}

#: Why a lead is no good (`ecg.processing.quality`) and what to do about it.
REASONS = {
    "lead-off": Text("电极脱落：重新贴好电极，接好导线", "electrode off: attach it again and check its wire"),
    "flat": Text("几乎没有信号：检查电极和导线", "hardly any signal: check electrode and wire"),
    "missing": Text("数据中断：检查导线和插头", "samples missing: check wire and plug"),
    "saturated": Text("信号削顶：清洁皮肤，重贴电极", "clipped: clean the skin, attach the electrode again"),
    "noise": Text("干扰太大：请病人放松，不动、不说话，注意保暖", "too much noise: let the patient relax, lie still and warm"),
    "mains": Text("工频干扰：远离电源和手机，理顺导线", "mains: away from power lines and phones, wires in order"),
    "baseline-wander": Text("基线漂移：平稳呼吸，压紧电极", "wandering baseline: quiet breathing, press the electrodes on"),
    "too-short": Text("记录太短：录满 10 秒", "too short: record ten seconds"),
}

#: A statement about misplaced electrodes -> the electrodes to look at, the lead that shows it, and what to do.
MISPLACED = {
    "arm-electrodes-swapped": (
        ("RA", "LA"),
        "I",
        Text("左右手电极可能接反：对调后重做", "arms swapped: exchange the electrodes and repeat"),
    ),
    "right-arm-left-leg-swapped": (
        ("RA", "LL"),
        "II",
        Text("右手与左腿电极可能接反：对调后重做", "right arm and left leg swapped: exchange them and repeat"),
    ),
    "left-arm-left-leg-swapped": (
        ("LA", "LL"),
        "III",
        Text("左手与左腿电极可能接反：对调后重做", "left arm and left leg swapped: exchange them and repeat"),
    ),
    "limb-electrodes-rotated": (
        ("RA", "LA", "LL"),
        "I",
        Text(
            "左右手及左腿电极接错：按颜色逐一核对后重做",
            "arm and left leg electrodes mixed up: check each by its colour and repeat",
        ),
    ),
    "right-leg-electrode-misplaced": (
        ("RL",),
        "II",
        Text("右腿电极可能接错：检查四肢电极后重做", "right leg electrode misplaced: check all four limbs and repeat"),
    ),
    "dextrocardia": (
        ("RA", "LA"),
        "I",
        Text("左右手电极接反，或为右位心：请核对电极", "arms swapped, or the heart lies right: check the electrodes"),
    ),
}


#: The statement about exchanged chest electrodes, which names them in its evidence.
CHEST = "chest-electrodes-swapped"
CHEST_TEXT = Text("{} 电极可能接错：逐一核对位置和导线后重做", "{} probably exchanged: check each place and wire, and repeat")


#: Limb electrodes that changed places since the previous ECG, and the lead that shows it.
EXCHANGED_SINCE = "electrodes-exchanged-since-previous"
SHOWN_BY = {("RA", "LA"): "I", ("RA", "LL"): "II", ("LA", "LL"): "III"}


@dataclass(frozen=True)
class Fault:
    """One thing to mend: *repeat* asks for a new recording, else it is a hint for the next one.

    *electrodes* are to be looked at (RA, LA, RL, LL, V1 to V9), *leads* show it; both empty when it is the whole recording.
    """

    code: str
    leads: tuple[str, ...]
    electrodes: tuple[str, ...]
    text: Text
    repeat: bool = True

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Fault:
        """Read back what was stored as JSON."""
        text = Text(**stored["text"])
        return cls(stored["code"], tuple(stored["leads"]), tuple(stored["electrodes"]), text, repeat=stored["repeat"])


class Verdict(StrEnum):
    """What the gate said and what came of it."""

    PASSED = "passed"
    OPEN = "open"
    REPEATED = "repeated"
    KEPT = "kept"


class Step(StrEnum):
    """What may happen to a recording that the gate has asked about."""

    REPEAT = "repeat"
    KEEP = "keep"


TRANSITIONS = {
    (Verdict.OPEN, Step.REPEAT): Verdict.REPEATED,
    (Verdict.OPEN, Step.KEEP): Verdict.KEPT,
    (Verdict.KEPT, Step.REPEAT): Verdict.REPEATED,
}


@dataclass(frozen=True)
class Gate:
    """What was said of one recording; *replaced_by* is the recording that came instead, *reason* why it was kept as it is."""

    institution: str
    sop_instance_uid: str
    study_instance_uid: str
    verdict: Verdict
    faults: tuple[Fault, ...]
    judged_at: datetime
    decided_at: datetime | None = None
    reason: str = ""
    replaced_by: str | None = None

    @property
    def asks(self) -> bool:
        """Whether a new recording is asked for, so that keeping this one needs a reason."""
        return any(fault.repeat for fault in self.faults)


def faults_of(analysis: Mapping[str, Any], exchanged: Mapping[str, Any] | None = None) -> tuple[Fault, ...]:
    """Return what of *analysis* (the JSON of the public interface) a nurse can mend, what asks for a repeat first.

    Electrodes *exchanged* since the previous ECG are a hint alone: that one may have been the wrong one.
    """
    found = (*_misplaced(analysis), *_since_previous(analysis, exchanged), *_of_leads(analysis), *_of_the_whole(analysis))
    return tuple(sorted(found, key=lambda fault: not fault.repeat))


def _misplaced(analysis: Mapping[str, Any]) -> Iterator[Fault]:
    for statement in analysis["statements"]:
        if statement["code"] in MISPLACED:
            electrodes, lead, text = MISPLACED[statement["code"]]
            yield Fault(statement["code"], (lead,), electrodes, text)
        elif statement["code"] == CHEST:
            electrodes = tuple(statement["evidence"]["electrodes"])
            named = "、".join(electrodes), ", ".join(electrodes)
            yield Fault(CHEST, electrodes, electrodes, Text(CHEST_TEXT.zh.format(named[0]), CHEST_TEXT.en.format(named[1])))


def _since_previous(analysis: Mapping[str, Any], exchanged: Mapping[str, Any] | None) -> Iterator[Fault]:
    """Say what changed places since the previous ECG, unless this recording alone tells of misplaced limb electrodes."""
    if exchanged is not None and MISPLACED.keys().isdisjoint(statement["code"] for statement in analysis["statements"]):
        electrodes = tuple(exchanged["electrodes"])
        yield Fault(EXCHANGED_SINCE, (SHOWN_BY.get(electrodes, "I"),), electrodes, Text(**exchanged["text"]), repeat=False)


def _of_leads(analysis: Mapping[str, Any]) -> Iterator[Fault]:
    """One fault for each reason and whether its leads are still measured, naming the electrodes that explain the leads."""
    grouped: dict[tuple[str, bool], list[str]] = {}
    for lead, quality in analysis["quality"].items():
        for reason in quality["reasons"]:
            grouped.setdefault((reason, not quality["usable"]), []).append(lead)
    for (reason, repeat), leads in grouped.items():
        if reason == "too-short" or reason not in REASONS:
            continue
        electrodes = electrodes_of(leads)
        words = REASONS[reason]
        named = "、".join(electrodes or leads), ", ".join(electrodes or leads)
        yield Fault(reason, tuple(leads), electrodes, Text(f"{named[0]} {words.zh}", f"{named[1]}: {words.en}"), repeat=repeat)


def electrodes_of(leads: Sequence[str]) -> tuple[str, ...]:
    """Return the electrodes that explain why *leads* are no good, chest leads each by its own.

    Of the limb leads two bad ones share the electrode that they have in common; aVR, aVL and aVF are made of the same three.
    """
    chest = [lead for lead in leads if lead.startswith("V")]
    bad = [LIMB[lead] for lead in LIMB if lead in leads]
    common = frozenset.intersection(*bad) if bad else frozenset()
    limb = common or frozenset().union(*bad)
    return (*(each for each in ("RA", "LA", "LL") if each in limb), *chest)


def _of_the_whole(analysis: Mapping[str, Any]) -> Iterator[Fault]:
    seconds, rate = analysis["duration_s"], analysis["sampling_frequency_hz"]
    if seconds < SHORTEST_S:
        text = Text(f"只录了 {seconds:.1f} 秒：录满 10 秒", f"only {seconds:.1f} s long: record ten seconds")
        yield Fault("too-short", (), (), text)
    if rate < SLOWEST_HZ:
        text = Text(
            f"采样率 {rate:g} Hz 低于 {SLOWEST_HZ} Hz：请把心电图机设为 {SLOWEST_HZ} Hz 以上",
            f"sampled at {rate:g} Hz: set the machine to {SLOWEST_HZ} Hz or more",
        )
        yield Fault("low-rate", (), (), text, repeat=False)
