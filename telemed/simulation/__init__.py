"""`telemed simulate`: a province's day played through the product's own rules, beside the rules others go by.

Every policy meets the same cases, links, readers and reading times. Ours calls `consult.triage.model` and
`consult.queue.dispatch` themselves. What is assumed of the world stands in `scenario`, and is no measurement.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from telemed.kernel.errors import Invalid
from telemed.simulation.playing import House
from telemed.simulation.policies import POLICIES
from telemed.simulation.report import draw, told
from telemed.simulation.scenario import Scenario

#: The township hospitals of a large province.
MOST_SITES, MOST_DAYS = 4504, 31
LEAST_LOAD, MOST_LOAD = 0.1, 3.0
_PICTURES = {".svg", ".png", ".pdf"}

__all__ = ["Scenario", "simulate"]


def simulate(scenario: Scenario, picture: Path | None = None) -> Iterator[str]:
    """Play *scenario* under every policy and yield the lines of the table; draw *picture* when one is wanted.

    Raises
    ------
    Invalid
        when the scenario is out of bounds, or the picture of a kind that cannot be drawn.
    """
    if not (1 <= scenario.sites <= MOST_SITES and 1 <= scenario.days <= MOST_DAYS and LEAST_LOAD <= scenario.load <= MOST_LOAD):
        bounds = f"1 to {MOST_SITES} sites, 1 to {MOST_DAYS} days and a load of {LEAST_LOAD} to {MOST_LOAD}"
        raise Invalid(f"a scenario has {bounds}", code="scenario")
    if picture is not None and picture.suffix not in _PICTURES:
        raise Invalid(f"a picture is {', '.join(sorted(_PICTURES))}: name the file so", code="picture")
    played = {policy.name: House(scenario, policy, _Bar(policy.name)).play() for policy in POLICIES}
    yield from told(scenario, played)
    if picture is not None:
        draw(played, picture)


class _Bar:
    """Tells on a terminal how far a policy is."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._told = -1

    def __call__(self, done: int, of: int) -> None:
        percent = 100 * done // of
        if percent != self._told and sys.stderr.isatty():
            self._told = percent
            print(f"\r{self._name:10}{percent:4} %", end="\n" if done == of else "", file=sys.stderr, flush=True)  # noqa: T201 - the bar
