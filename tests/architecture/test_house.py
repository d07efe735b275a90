"""The house holds its own rules: imports, tables, and what is documented."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from support.postgres import Cluster

from dicom_node.archive import conflicts
from dicom_node.archive.header import Header
from telemed import schema
from telemed.config import Config
from telemed.kernel.database import Database, metadata

ROOT = Path(__file__).parent.parent.parent


def test_every_import_points_down():
    done = subprocess.run([Path(sys.executable).with_name("lint-imports")], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


# SQLAlchemy does not read SQLite's indexes over expressions back, and says so of each; we compare their names.
@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based index")
def test_the_migrations_make_every_table_on_both_databases(tmp_path: Path, postgres: Cluster):
    for url in (f"sqlite:///{tmp_path}/telemed.sqlite", postgres.url(postgres.new_database())):
        database = Database(url)
        schema.upgrade(database)
        assert schema.version(database) == schema.newest_version()
        with database.reading() as db:
            context = MigrationContext.configure(db, opts={"compare_type": True})
            assert compare_metadata(context, metadata) == []
            names = "SELECT indexname FROM pg_indexes" if url.startswith("postgres") else "SELECT name FROM sqlite_master"
            assert {str(index.name) for table in metadata.tables.values() for index in table.indexes} <= set(
                db.exec_driver_sql(names).scalars()
            )
        assert "newest" in schema.upgrade(database)
        database.close()


def test_a_tables_module_is_known_to_the_migrations():
    known = (ROOT / "telemed/migrations/env.py").read_text()
    for module in ROOT.glob("*/**/tables.py"):
        if ".venv" not in module.parts:
            assert ".".join(module.relative_to(ROOT).with_suffix("").parts) in known


def test_every_setting_is_in_the_operators_book():
    book = (ROOT / "docs/operating.md").read_text()
    for setting in fields(Config):
        assert f"`{setting.name}`" in book, setting.name


def test_every_word_stands_in_both_languages():
    chinese, english = (_keys(ROOT / "web/app/locales" / language) for language in ("zh-CN", "en"))
    assert chinese
    assert chinese.keys() == english.keys()
    assert not [key for key, text in (chinese | english).items() if not text.strip()]


def test_the_same_blanks_are_filled_in_both_languages():
    chinese, english = (_keys(ROOT / "web/app/locales" / language) for language in ("zh-CN", "en"))
    for key, text in chinese.items():
        assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", english[key])), key


def _keys(folder: Path) -> dict[str, str]:
    found: dict[str, str] = {}

    def walk(prefix: str, value):
        if isinstance(value, dict):
            for name, inner in value.items():
                walk(f"{prefix}.{name}", inner)
        else:
            found[prefix] = value

    for file in sorted(folder.glob("*.json")):
        walk(file.stem, json.loads(file.read_text(encoding="utf-8")))
    return found


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_whatever_two_contents_of_one_uid_may_differ_in_has_a_name_on_the_page(language):
    page = json.loads((ROOT / "web" / "app" / "locales" / language / "admin.json").read_text(encoding="utf-8"))
    named = {field.name for field in fields(Header)} - {"sop_instance_uid"} | {conflicts.CONTENT, conflicts.UNREADABLE}
    assert page["conflicts"]["fields"].keys() == named
