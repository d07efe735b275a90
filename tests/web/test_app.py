"""The browser application's own tests, run by the Node that built it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_browser_applications_own_tests_pass():
    done = subprocess.run([sys.executable, "hatch_build.py", "test"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
