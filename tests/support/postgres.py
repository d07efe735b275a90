"""A private PostgreSQL cluster for the tests: initialised, started on a socket of its own, and stopped by them."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
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
    numbers: Iterator[int] = field(default_factory=partial(count, 1))

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
        name = f"t{next(self.numbers)}"
        self._tell(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
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


@dataclass
class Copies:
    """Databases like *template*, one for each test that asks: the next one is made, and the last one dropped, while tests run."""

    cluster: Cluster
    template: str

    def __post_init__(self) -> None:
        self._maker = ThreadPoolExecutor(1, thread_name_prefix="copies")
        self._next = self._make()

    def _make(self) -> Future[str]:
        return self._maker.submit(self.cluster.new_database, self.template)

    @contextmanager
    def url(self) -> Iterator[str]:
        """Lend the URL of a copy that nobody has used."""
        name, self._next = self._next.result(), self._make()
        yield self.cluster.url(name)
        self._maker.submit(self.cluster.drop, name)

    def close(self) -> None:
        """Finish what is being made."""
        self._maker.shutdown()
