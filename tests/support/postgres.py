"""A private PostgreSQL cluster for the tests: initialised, started on a socket of its own, and stopped by them."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine, text


def programs() -> Path:
    """Return the folder of initdb and pg_ctl; Debian keeps them off the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    if found:
        return found[-1]
    on_path = shutil.which("initdb")
    if on_path is None:
        raise RuntimeError("PostgreSQL is not installed: `make test` installs Debian's postgresql when it may, else install it")
    return Path(on_path).resolve().parent


@dataclass
class Cluster:
    """One cluster in a temporary folder, listening on a UNIX socket only."""

    folder: Path
    databases: int = 0

    @classmethod
    def start(cls) -> Cluster:
        folder = Path(tempfile.mkdtemp(prefix="telemed-pg-"))
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            os.chown(folder, pwd.getpwnam("postgres").pw_uid, -1)
        cluster = cls(folder)
        cluster._run("initdb", "-D", str(folder / "data"), "-U", "telemed", "-A", "trust", "-E", "UTF8", "--no-locale", "-N")
        cluster.resume()
        return cluster

    def resume(self) -> None:
        """Start it (again)."""
        options = (
            f"-c listen_addresses= -c unix_socket_directories={self.folder} -c max_connections=60 -c shared_buffers=32MB"
            " -c fsync=off"
        )
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def pause(self) -> None:
        """End it as a crash would; `resume` starts it again."""
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(programs() / program), *arguments]
        if os.geteuid() == 0:
            command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", *command]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr or done.stdout}")

    def url(self, name: str = "postgres") -> str:
        return f"postgresql+psycopg://telemed@/{name}?host={self.folder}"

    def new_database(self, template: str = "template1") -> str:
        """Create a database like *template* and return its name."""
        self.databases += 1
        name = f"t{self.databases}"
        self._tell(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, name: str) -> None:
        self._tell(f"DROP DATABASE {name} WITH (FORCE)")

    def _tell(self, sentence: str) -> None:
        engine = create_engine(self.url(), isolation_level="AUTOCOMMIT")
        with engine.connect() as db:
            db.execute(text(sentence))
        engine.dispose()

    def stop(self, mode: str = "immediate") -> None:
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", mode, "stop")
        shutil.rmtree(self.folder, ignore_errors=True)
