"""What is given out as CSV."""

from __future__ import annotations

import pytest

from web.api.figures import _cell


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_begins_a_formula(text):
    assert _cell(text) == f"'{text}"


def test_other_cells_stay_what_they_are():
    assert [_cell(value) for value in ("imaging", 5, None, True)] == ["imaging", 5, None, True]
