"""Boundaries against the marks of cardiologists in every lead: floors that may only rise."""

from collections import defaultdict

import numpy as np
from ludb import analysed, annotations, data

#: Mark -> (code of the wave, which side); bias and spread in milliseconds that must not be exceeded.
WAVES = {"p": 24, "qrs": 1, "t": 27}
FLOORS = {"p_on": (4, 16), "p_off": (4, 15), "qrs_on": (3, 9), "qrs_off": (3, 11), "t_off": (4, 22)}


def test_boundaries_stay_as_near_to_the_marks_as_they_were():
    difference: dict[str, list[float]] = defaultdict(list)
    for record, analysis in analysed():
        for lead in record.recording.names:
            marks = annotations(data() / "ludb" / f"{record.name}.{lead.lower()}")
            for place in range(1, len(marks) - 1):
                wave = next((name for name, code in WAVES.items() if code == marks[place][1]), None)
                if wave is None:
                    continue
                for side, (at, code), bracket in (("on", marks[place - 1], 39), ("off", marks[place + 1], 40)):
                    found = np.array(analysis.delineation[lead][f"{wave}_{side}"])
                    near = found[np.abs(found - at) <= 75] if code == bracket else found[:0]
                    if near.size:
                        difference[f"{wave}_{side}"].append(2.0 * float((near - at)[np.argmin(np.abs(near - at))]))
    for name, (bias, spread) in FLOORS.items():
        values = np.array(difference[name])
        assert values.size > 3000, name
        assert abs(values.mean()) <= bias, (name, values.mean())
        assert values.std() <= spread, (name, values.std())
