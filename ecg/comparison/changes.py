"""What changed between two ECGs of one patient, by how much, and whether that is more than measuring twice gives.

Every limit names where it comes from. A change is a hint to look, and no statement about its cause.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ecg.analysis import Analysis, Measurements, Statement, Text
from ecg.comparison.average import AverageBeat, Snapshot
from ecg.comparison.electrodes import Exchange, exchange

#: Machines differ from the experts' median by 4-6 (PR), 4-8 (QRS), 6-10 ms (QT) at the 75th percentile: about three times that.
_REPEATED = "own limit: three times what commercial machines err by at the 75th percentile"
_OWN = "own limit: beyond what posture and rest change"


@dataclass(frozen=True)
class Limit:
    """From which difference on a quantity is said to have changed, and who says so."""

    name: str
    text: Text
    unit: str
    least: float
    source: str


LIMITS = (
    Limit("heart_rate_bpm", Text("心率", "Heart rate"), "/min", 20, _OWN),
    Limit("p_duration_ms", Text("P波时限", "P duration"), "ms", 20, _REPEATED),
    Limit("pr_interval_ms", Text("PR间期", "PR interval"), "ms", 20, _REPEATED),
    Limit("qrs_duration_ms", Text("QRS时限", "QRS duration"), "ms", 20, _REPEATED),
    Limit("qt_interval_ms", Text("QT间期", "QT interval"), "ms", 40, _OWN),
    Limit("qtc_ms", Text("QTc（Fridericia）", "QTc (Fridericia)"), "ms", 30, "ICH E14: an increase of 30 ms and more"),
    Limit("p_axis_deg", Text("P电轴", "P axis"), "°", 45, _OWN),
    Limit("qrs_axis_deg", Text("QRS电轴", "QRS axis"), "°", 30, _OWN),
    Limit("t_axis_deg", Text("T电轴", "T axis"), "°", 45, _OWN),
)
ST_MV, ST_SOURCE = 0.1, "fourth universal definition of myocardial infarction: 1 mm at the J point"
T_MV, T_SOURCE = 0.1, "fourth universal definition of myocardial infarction: T inversion of more than 1 mm"
#: Statements about the recording and not the heart.
TECHNICAL = frozenset({"low-quality"})


@dataclass(frozen=True)
class Change:
    """One quantity in both recordings; *difference* is current less previous, None where one of them was not measurable.

    *notable* tells whether the limit is reached, or whether a quantity other than an axis is there in one of them only.
    """

    name: str
    lead: str
    text: Text
    unit: str
    before: float | str | None
    after: float | str | None
    difference: float | None
    notable: bool
    source: str

    def sentence(self) -> Text:
        """Say the change in both languages."""
        before, after = _worded(self.before), _worded(self.after)
        by = "" if self.difference is None else f"{self.difference:+g} {self.unit}"
        lead = f" {self.lead}" if self.lead else ""
        return Text(
            f"{self.text.zh}{lead}：{before.zh} → {after.zh}{by and f'（{by}）'}",
            f"{self.text.en}{lead}: {before.en} → {after.en}{by and f' ({by})'}",
        )


_POLARITY = {"upright": Text("直立", "upright"), "inverted": Text("倒置", "inverted"), "flat": Text("低平", "flat")}


def _worded(value: float | str | None) -> Text:
    if value is None:
        return Text("不可测", "not measurable")
    return _POLARITY[value] if isinstance(value, str) else Text(f"{value:g}", f"{value:g}")


@dataclass(frozen=True)
class Comparison:
    """All quantities of both, the rhythm before and after, the statements that are new or gone, and exchanged electrodes."""

    changes: tuple[Change, ...]
    rhythm: tuple[Text, Text]
    rhythm_changed: bool
    new: tuple[Statement, ...]
    gone: tuple[Statement, ...]
    exchange: Exchange | None

    def sentences(self) -> list[Text]:
        """Say what changed, first exchanged electrodes, which would explain the rest; one sentence where nothing did."""
        before, after = self.rhythm
        said = [] if self.exchange is None else [self.exchange.sentence()]
        said += [Text(f"节律：{before.zh} → {after.zh}", f"Rhythm: {before.en} → {after.en}")] if self.rhythm_changed else []
        said += [change.sentence() for change in self.changes if change.notable]
        said += [Text(f"新出现：{each.text.zh}", f"New: {each.text.en}") for each in self.new]
        said += [Text(f"不再出现：{each.text.zh}", f"No longer: {each.text.en}") for each in self.gone]
        return said or [Text("与前次心电图相比无明显变化", "No notable change from the previous ECG")]

    def as_json(self) -> dict[str, Any]:
        """Return the comparison as the public interface shows it."""
        return {
            "rhythm": {
                "before": vars(self.rhythm[0]),
                "after": vars(self.rhythm[1]),
                "changed": self.rhythm_changed,
            },
            "changes": [{**vars(change), "text": vars(change.text)} for change in self.changes],
            "new_statements": [_shown(statement) for statement in self.new],
            "gone_statements": [_shown(statement) for statement in self.gone],
            "exchanged_electrodes": None if self.exchange is None else self.exchange.as_json(),
            "sentences": [vars(sentence) for sentence in self.sentences()],
        }


def _shown(statement: Statement) -> dict[str, Any]:
    return {"code": statement.code, "text": vars(statement.text), "severity": statement.severity.value}


def compare(previous: Snapshot, current: Snapshot) -> Comparison:
    """Return what changed from *previous* to *current*; of the leads those that both have."""
    before, after = previous.analysis, current.analysis
    had, has = _statements(before), _statements(after)
    return Comparison(
        changes=(
            *_measured(before.measurements, after.measurements),
            *_st(before.measurements, after.measurements),
            *_polarity(previous.beat, current.beat),
        ),
        rhythm=(before.rhythm.text, after.rhythm.text),
        rhythm_changed=before.rhythm.code != after.rhythm.code,
        new=tuple(each for code, each in has.items() if code not in had),
        gone=tuple(each for code, each in had.items() if code not in has),
        exchange=exchange(previous.beat, current.beat),
    )


def _statements(analysis: Analysis) -> dict[str, Statement]:
    """Return what was said of the heart beside its rhythm, by code."""
    aside = {*TECHNICAL, analysis.rhythm.code}
    return {statement.code: statement for statement in analysis.statements if statement.code not in aside}


def _measured(before: Measurements, after: Measurements) -> Iterator[Change]:
    for limit in LIMITS:
        was, now = (each.qtc_ms.fridericia if limit.name == "qtc_ms" else getattr(each, limit.name) for each in (before, after))
        if was is None and now is None:
            continue
        difference = None if was is None or now is None else now - was
        if difference is not None and limit.unit == "°":
            difference = (difference + 180) % 360 - 180  # the shorter way around
        there_in_one = difference is None and limit.unit != "°"  # an axis may be missing for want of leads
        notable = there_in_one if difference is None else abs(difference) >= limit.least
        yield Change(limit.name, "", limit.text, limit.unit, was, now, difference, notable, limit.source)


def _st(before: Measurements, after: Measurements) -> Iterator[Change]:
    was, now = before.st_j_mv or {}, after.st_j_mv or {}
    text = Text("ST（J点）", "ST (J point)")
    for lead in now:
        if lead in was:
            difference = round(now[lead] - was[lead], 3)
            notable = abs(difference) >= ST_MV
            yield Change("st_j_mv", lead, text, "mV", was[lead], now[lead], difference, notable, ST_SOURCE)


def _polarity(before: AverageBeat | None, after: AverageBeat | None) -> Iterator[Change]:
    if before is None or after is None:
        return
    for lead in after.t_mv:
        if lead in before.t_mv:
            was, now = _side(before.t_mv[lead]), _side(after.t_mv[lead])
            turned = {was, now} == {"upright", "inverted"}
            yield Change("t_polarity", lead, Text("T波", "T wave"), "", was, now, None, turned, T_SOURCE)


def _side(t_mv: float) -> str:
    return "flat" if abs(t_mv) < T_MV else "upright" if t_mv > 0 else "inverted"
