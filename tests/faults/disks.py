"""A disk that can be pulled out, and filled: an ext4 file system of its own on a loop device."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

#: From Linux's fs/ext4/ext4.h; the flag: what is in memory, the file system's own journal too, goes nowhere.
_EXT4_IOC_SHUTDOWN, _NO_LOG_FLUSH = 0x8004587D, 2


def _run(*command: object) -> None:
    subprocess.run([*map(str, command)], check=True, capture_output=True)


def needs_mounts() -> None:
    """Say in one sentence why a test of a disk cannot run here: only root may mount."""
    if os.geteuid() != 0 or not Path("/dev/loop-control").exists():
        pytest.skip("a disk cannot be cut off here: that needs root and loop devices, run this test where both are")


class Disk:
    """An ext4 file system of *megabytes*, mounted at `folder`."""

    def __init__(self, at: Path, megabytes: int = 4096) -> None:
        self._image, self.folder = at / "disk.img", at / "disk"
        self.folder.mkdir()
        self._ballast = self.folder / "ballast"
        with self._image.open("wb") as image:
            image.truncate(megabytes << 20)
        _run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=1,lazy_journal_init=1", self._image)
        self._mount()

    def _mount(self) -> None:
        _run("mount", "-o", "loop", self._image, self.folder)

    def cut(self) -> None:
        """Let nothing more reach the disk: what was not synced is gone."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _EXT4_IOC_SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        finally:
            os.close(descriptor)

    def power_up(self) -> None:
        """Mount it again, which replays its journal; nobody may have a file of it open."""
        _run("umount", self.folder)
        self._mount()

    def fill(self) -> None:
        """Take all the room that is left."""
        with self._ballast.open("ab") as ballast:
            for piece in (16 << 20, 1 << 20, 4096):
                with suppress(OSError):
                    while True:
                        os.posix_fallocate(ballast.fileno(), os.fstat(ballast.fileno()).st_size, piece)

    def make_room(self) -> None:
        """Give back what `fill` took."""
        self._ballast.unlink()

    def remove(self) -> None:
        with suppress(subprocess.CalledProcessError):
            _run("umount", "-l", self.folder)
        self._image.unlink()
