"""A worker that was made ready has the engine loaded before its first recording."""

import subprocess
import sys

PROGRAM = """
import sys
from ecg import readiness
readiness.load()
before = set(sys.modules)
from ecg.formats import read
from ecg.pipeline import analyse
from pathlib import Path
analyse(read({"a.dcm": Path(sys.argv[1]).read_bytes()}))
print(sorted(name for name in set(sys.modules) - before if name.partition(".")[0] in {"ecg", "numpy", "pydicom", "scipy"}))
"""


def test_nothing_of_the_engine_is_left_to_load_by_a_strip_as_machines_send_it():
    strip = "sample_data/files/studies/ecg-normal.dcm"
    ran = subprocess.run([sys.executable, "-c", PROGRAM, strip], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
