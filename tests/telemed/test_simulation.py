"""A province's day played through the rules."""

from __future__ import annotations

import pytest

from consult.requests.model import Lane
from telemed.cli import main
from telemed.simulation.playing import House
from telemed.simulation.policies import POLICIES
from telemed.simulation.report import share
from telemed.simulation.scenario import Scenario


@pytest.fixture(scope="module")
def played():
    scenario = Scenario(sites=80)
    return {policy.name: House(scenario, policy).play() for policy in POLICIES}


def test_every_policy_answers_every_case_once_and_in_the_order_of_time(played):
    numbers = {one.asked.case.number for one in played["FIFO"]}
    for answers in played.values():
        assert sorted(one.asked.case.number for one in answers) == sorted(numbers)
        for one in answers:
            assert one.asked.case.t0_s + one.asked.case.transfer_s <= one.claimed_s < one.delivered_s


def test_ours_keeps_the_target_where_first_come_first_served_does_not(played):
    assert share(played["telemed"]) >= 0.95 > share(played["FIFO"])


def test_no_lane_starves(played):
    for lane in Lane:
        waited = [one.waited_s for one in played["telemed"] if one.asked.urgency.lane is lane]
        assert max(waited, default=0) < max(one.waited_s for one in played["FIFO"])


def test_a_seed_gives_the_same_day_and_another_seed_another():
    def day(seed):
        return [(one.asked.case, one.delivered_s) for one in House(Scenario(sites=10, seed=seed), POLICIES[2]).play()]

    assert day(3) == day(3) != day(4)


def test_the_command_prints_a_table_and_draws_a_picture(tmp_path, capsys):
    assert main(["simulate", "--sites", "10", "--plot", str(tmp_path / "day.svg")]) == 0
    printed = capsys.readouterr().out
    assert [name in printed for name in ("FIFO", "priority", "telemed", "ecg-critical", "P95")] == [True] * 5
    assert "<svg" in (tmp_path / "day.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "option", [["--sites", "0"], ["--sites", "4505"], ["--days", "99"], ["--load", "nan"], ["--plot", "day.exe"]]
)
def test_a_scenario_out_of_bounds_is_one_sentence(option, capsys):
    assert main(["simulate", *option]) == 2
    assert capsys.readouterr().err.startswith("telemed: a ")
