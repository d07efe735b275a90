"""Sorting gives what numpy's selection gives."""

import numpy as np
import pytest

from ecg.processing.order import median, percentiles

CHANCE = np.random.default_rng(3)


@pytest.mark.parametrize("shape", [(1,), (2,), (7, 5), (4, 3, 8)])
@pytest.mark.parametrize("axis", [0, -1])
def test_medians_and_percentiles_are_those_of_numpy(shape: tuple[int, ...], axis: int):
    values = CHANCE.normal(size=shape)
    assert np.allclose(median(values, axis=axis), np.median(values, axis=axis))
    for ours, percent in zip(percentiles(values, 0, 15, 97, 100, axis=axis), (0, 15, 97, 100), strict=True):
        assert np.allclose(ours, np.percentile(values, percent, axis=axis))
