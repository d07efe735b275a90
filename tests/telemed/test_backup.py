from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file
from sqlalchemy import func, select
from support import dcmtk
from support.server import Server

from consult.practitioners.model import Institution, Level, Person
from telemed import backup, keeping, schema, seeding
from telemed.config import Config
from telemed.kernel.database import Database, metadata
from telemed.kernel.errors import Invalid, Refused

SIGNER = (Person("a1" * 16, "王敏"), Institution("i2", "青山县医院", "Qingshan County Hospital", Level.COUNTY))


def kept_server(folder: Path) -> Config:
    """A server with the demo's people and one real CT, nothing running."""
    config = Config(data=folder)
    with keeping.kept(config) as store:
        seeding.seed(store.database, store.chronicle)
        with store.database.reading() as db:
            clinic = seeding.clinic_id(db)
        content = Path(get_testdata_file("CT_small.dcm", download=False)).read_bytes()
        store.archive.store(content, institution=clinic, transfer_syntax_uid=None, source="test")
        store.authority.credential(*SIGNER, store.chronicle.clock.now())
    return config


def counts(config: Config) -> dict[str, int]:
    database = Database(config.database_url)
    with database.reading() as db:
        found = {table.name: db.execute(select(func.count()).select_from(table)).scalar_one() for table in metadata.sorted_tables}
    database.close()
    return found


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Config:
    return kept_server(tmp_path_factory.mktemp("original"))


@pytest.fixture(scope="module")
def saved(original, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("saved") / "telemed.tar"
    assert "1 objects" in backup.backup(original, out)
    return out


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_restored_server_is_the_same_and_goes_on_counting(original, saved, tmp_path, request, kind):
    url = ""
    if kind == "postgresql":
        cluster = request.getfixturevalue("postgres")
        url = cluster.url(cluster.new_database())
    restored = Config(data=tmp_path / "restored", database=url)
    assert "1 objects" in backup.restore(restored, saved)
    assert counts(restored) == counts(original)
    assert list(keeping.differences(restored)) == []
    with keeping.kept(restored) as store, store.database.transaction() as db:
        newest = store.chronicle.events.latest()
        assert store.chronicle.events.append(db, "Happened", "subject").position > newest > 0


def test_the_keys_that_reports_are_signed_with_are_in_the_backup_and_only_its_owner_may_read_it(original, saved, tmp_path):
    restored = Config(data=tmp_path / "restored")
    backup.restore(restored, saved)
    with keeping.kept(original) as store, keeping.kept(restored) as again:
        assert again.authority.files() == store.authority.files() != {}
    assert keeping.authority_certificate(restored) == keeping.authority_certificate(original)
    modes = {file.stat().st_mode & 0o777 for file in (saved, *(restored.data / "authority").iterdir())}
    assert modes == {0o600}


def test_nothing_is_overwritten(original, saved):
    with pytest.raises(Refused, match="exists already"):
        backup.backup(original, saved)
    with pytest.raises(Refused, match="keeps something already"):
        backup.restore(original, saved)


def test_a_file_that_is_no_backup_or_a_damaged_one_is_named_and_leaves_nothing(saved, tmp_path):
    text = tmp_path / "text.tar"
    text.write_text("not a tar")
    with pytest.raises(Invalid, match=r"text\.tar"):
        backup.restore(Config(data=tmp_path / "a"), text)

    cut = tmp_path / "cut.tar"
    cut.write_bytes(saved.read_bytes()[: saved.stat().st_size // 2])
    with pytest.raises(Invalid, match=r"cut\.tar"):
        backup.restore(Config(data=tmp_path / "b"), cut)
    assert not any(counts(Config(data=tmp_path / "b")).values())

    flipped = tmp_path / "flipped.tar"
    shutil.copy(saved, flipped)
    with tarfile.open(flipped) as tar:
        member = next(one for one in tar if one.name.startswith("blobs/"))
    with flipped.open("r+b") as file:
        file.seek(member.offset_data + 1000)
        byte = file.read(1)[0]
        file.seek(member.offset_data + 1000)
        file.write(bytes([byte ^ 1]))
    with pytest.raises(Invalid, match="not what its name says"):
        backup.restore(Config(data=tmp_path / "c"), flipped)
    assert not any(counts(Config(data=tmp_path / "c")).values())


def test_another_schema_is_refused_by_its_number(saved, tmp_path, monkeypatch):
    monkeypatch.setattr(schema, "newest_version", lambda: "9999")
    with pytest.raises(Refused, match="9999"):
        backup.restore(Config(data=tmp_path / "d", database=f"sqlite:///{tmp_path}/d.sqlite"), saved)


def test_what_a_crash_left_unfiled_is_not_left_out_in_silence(tmp_path):
    """kill -9 right after the acknowledgements: either all of it is filed, or the backup says to start the server first."""
    server = Server(tmp_path / "data").start()
    file = get_testdata_file("CT_small.dcm", download=False)
    sent = dcmtk.storescu(server.dicom_port, file)
    server.kill()
    acknowledged = dcmtk.acknowledged(sent.stdout + sent.stderr)
    assert acknowledged == 1
    config = Config(data=tmp_path / "data")
    interrupted = keeping.is_interrupted(config)
    if interrupted:
        with pytest.raises(Refused, match="start the server once"):
            backup.backup(config, tmp_path / "out.tar")
        Server(tmp_path / "data").start().stop()
    assert not keeping.is_interrupted(config)
    assert "1 objects" in backup.backup(config, tmp_path / "out.tar")
