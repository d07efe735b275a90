"""What the policies achieved, as a table and as a picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from consult.requests.model import Lane
from telemed.simulation.playing import Answer
from telemed.simulation.scenario import Scenario

_COLOURS = ("#9aa7ad", "#d9a441", "#0f6e84")


def told(scenario: Scenario, played: Mapping[str, Sequence[Answer]]) -> Iterator[str]:
    """Yield the lines of a table: in all and for each lane the share in time, and how long the answers took."""
    yield (
        f"{scenario.sites} sites, {scenario.counties} county hospitals, {len(scenario.readers)} readers, "
        f"{len(scenario.cases)} cases in {scenario.days} day(s), load {scenario.load:g}, seed {scenario.seed}"
    )
    columns = ("cases", 8), ("in time", 10), ("P50 min", 9), ("P90 min", 9), ("P95 min", 9), ("longest wait", 14), ("moved", 8)
    yield f"{'policy':10}{'lane':14}" + "".join(name.rjust(width) for name, width in columns)
    for name, answers in played.items():
        for lane, mine in (("all", list(answers)), *_by_lane(answers)):
            took, waited = [one.took_s / 60 for one in mine], max(one.waited_s for one in mine) / 60
            p50, p90, p95 = np.percentile(took, [50, 90, 95])
            moved = sum(one.moved > 0 for one in mine)
            line = f"{name:10}{lane:14}{len(mine):8}{share(mine):10.1%}{p50:9.1f}{p90:9.1f}{p95:9.1f}{waited:14.1f}{moved:8}"
            yield line


def share(answers: Iterable[Answer]) -> float:
    """Return the share of *answers* that kept their lane's target."""
    kept = [one.is_in_time for one in answers]
    return sum(kept) / len(kept)


def draw(played: Mapping[str, Sequence[Answer]], out: Path) -> None:
    """Draw the shares in time by lane, and by the hour of T0, as the kind of picture *out*'s name says (.svg, .png, .pdf)."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - half a second that only a picture needs

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    by_lane, by_hour = figure.subplots(1, 2, width_ratios=(3, 2))
    lanes = ["all", *(lane for lane, _ in _by_lane(next(iter(played.values()))))]
    for number, (name, answers) in enumerate(played.items()):
        shares = {"all": share(answers)} | {lane: share(mine) for lane, mine in _by_lane(answers)}
        places = np.arange(len(lanes)) + (number - 1) * 0.27
        by_lane.bar(places, [100 * shares[lane] for lane in lanes], 0.26, label=name, color=_COLOURS[number])
        hours: dict[int, list[Answer]] = {}
        for one in answers:
            hours.setdefault(int(one.asked.case.t0_s // 3600) % 24, []).append(one)
        by_hour.plot(sorted(hours), [100 * share(hours[hour]) for hour in sorted(hours)], label=name, color=_COLOURS[number])
    by_lane.set_xticks(range(len(lanes)), lanes, rotation=20)
    by_hour.set_xlabel("hour of T0")
    for axes in (by_lane, by_hour):
        axes.axhline(95, color="#b3261e", linewidth=0.8, linestyle=":")
        axes.set_ylim(0, 101)
        axes.set_ylabel("in time, %")
        axes.spines[["top", "right"]].set_visible(False)
    figure.legend(*by_lane.get_legend_handles_labels(), frameon=False, ncols=3, loc="outside upper center")
    figure.savefig(out)


def _by_lane(answers: Sequence[Answer]) -> list[tuple[str, list[Answer]]]:
    """Return the answers of each lane that was asked for, in the lanes' own order."""
    return [(lane, mine) for lane in Lane if (mine := [one for one in answers if one.asked.urgency.lane is lane])]
