"""Brings a database to this version's schema, or says which version it has."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config as Alembic
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from telemed.kernel.database import Database, serialise
from telemed.kernel.errors import Refused

MIGRATIONS = Path(__file__).parent / "migrations"
MIGRATION_LOCK = 0x7E1E0003


def upgrade(database: Database) -> str:
    """Run the migrations that are missing, all or none, and say what was done.

    Raises
    ------
    Refused
        when the database was made by a newer version of telemed.
    """
    alembic = _alembic()
    newest = newest_version()
    with database.altering() as db:
        serialise(db, MIGRATION_LOCK)
        before = MigrationContext.configure(db).get_current_revision()
        if before == newest:
            return f"the database has the newest schema, {newest}"
        if before is not None and before not in {
            script.revision for script in ScriptDirectory.from_config(alembic).walk_revisions()
        }:
            raise Refused(f"the database was made by a newer telemed (schema {before}): use that version")
        alembic.attributes["connection"] = db
        command.upgrade(alembic, "head")
    return f"the database was brought from {before or 'nothing'} to {newest}"


def version(database: Database) -> str | None:
    """Return the database's schema version, None when it has none."""
    with database.reading() as db:
        return MigrationContext.configure(db).get_current_revision()


def newest_version() -> str:
    """Return this program's schema version."""
    return ScriptDirectory.from_config(_alembic()).get_current_head() or ""


def _alembic() -> Alembic:
    alembic = Alembic()
    alembic.set_main_option("script_location", str(MIGRATIONS))
    return alembic
