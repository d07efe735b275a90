"""Brings the machine up to what the tests need: the Debian packages named below, installed when that is allowed.

Run by `make test` before pytest. Where it may not install (no apt, neither root nor sudo), it names what is missing in
one sentence and stops: no test is left out in silence.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

#: Debian package -> a file that tells it is there.
NEEDED = {
    "chromium": "/usr/bin/chromium",
    "dcmtk": "/usr/bin/storescu",
    "dicom3tools": "/usr/bin/dciodvfy",
    "orthanc": "/usr/sbin/Orthanc",
    "orthanc-dicomweb": "/usr/share/orthanc/plugins/libOrthancDicomWeb.so",
    "e2fsprogs": "/usr/sbin/mkfs.ext4",
    "postgresql": "/usr/lib/postgresql/*/bin/initdb",
    "poppler-utils": "/usr/bin/pdftotext",
    "strace": "/usr/bin/strace",
}


def missing() -> list[str]:
    return [package for package, sign in NEEDED.items() if not any(Path("/").glob(sign.lstrip("/")))]


def install(packages: list[str]) -> None:
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    quiet = {"stdout": subprocess.DEVNULL}
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    print("installing", *packages, flush=True)
    subprocess.run([*root, "apt-get", "update", "-qq"], check=True, env=environment, **quiet)
    command = [*root, "apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    subprocess.run(command, check=True, env=environment, **quiet)


def main() -> None:
    packages = missing()
    if packages and shutil.which("apt-get") and (os.geteuid() == 0 or shutil.which("sudo")):
        try:
            install(packages)
        except subprocess.CalledProcessError as error:
            print(f"apt-get could not install them: {error}", file=sys.stderr)
        packages = missing()
    if packages:
        sys.exit(
            f"The tests need {', '.join(packages)} (names of Debian's packages): please install them, then run `make test` again."
        )


if __name__ == "__main__":
    main()
