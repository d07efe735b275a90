"""dcmtk's programs, by full path: in a virtual environment with pynetdicom their names mean other programs."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

FOLDER = Path("/usr/bin")


def run(program: str, *arguments: object, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run one program to its end and return what it said."""
    command = [str(FOLDER / program), *map(str, arguments)]
    environment = {**os.environ, "TCP_NODELAY": "1"}
    return subprocess.run(
        command, capture_output=True, timeout=timeout, check=False, env=environment, encoding="utf-8", errors="replace"
    )


def storescu(port: int, *paths: object, called: str = "TELEMED", calling: str = "LIANHUA", options: tuple[str, ...] = ()):
    return run("storescu", "-v", "-R", "+sd", "+r", *options, "-aec", called, "-aet", calling, "127.0.0.1", port, *paths)


def acknowledged(output: str) -> int:
    """Count the stores that were answered with Success."""
    return len(re.findall(r"Received Store Response \(Success\)", output))
