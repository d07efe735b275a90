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

# Emptying a small table in place costs no file, unlike TRUNCATE; a larger one is full of dead rows and gets a new file.
_EMPTY_EVERY_TABLE = """
SET session_replication_role = replica;
DO $$ DECLARE used record; BEGIN
  FOR used IN SELECT oid::regclass AS name, pg_relation_size(oid) > 65536 AS is_large FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND pg_relation_size(oid) > 0
  LOOP
    EXECUTE CASE WHEN used.is_large THEN 'TRUNCATE ' || used.name || ' CASCADE' ELSE 'DELETE FROM ' || used.name END;
  END LOOP;
  PERFORM setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace;
END $$
"""


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

    def new_database(self) -> str:
        """Create a database and return its name."""
        self.databases += 1
        name = f"t{self.databases}"
        self._tell(f"CREATE DATABASE {name}")
        return name

    def drop(self, name: str) -> None:
        self._tell(f"DROP DATABASE {name} WITH (FORCE)")

    def clear(self, name: str) -> None:
        """Disconnect whoever is left in a database and empty its tables: a new one costs a thousand small files."""
        self._tell(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        self._tell(_EMPTY_EVERY_TABLE, database=name)

    def _tell(self, sentence: str, database: str = "postgres") -> None:
        engine = create_engine(self.url(database), isolation_level="AUTOCOMMIT")
        with engine.connect() as db:
            db.execute(text(sentence))
        engine.dispose()

    def stop(self, mode: str = "immediate") -> None:
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", mode, "stop")
        shutil.rmtree(self.folder, ignore_errors=True)
