"""What is found under the paths that are named for sending."""

from __future__ import annotations

import zipfile

import pytest

from telemed import gathering
from telemed.gathering import gathered
from telemed.kernel.errors import Invalid


def a_zip(folder, members, *, compression=zipfile.ZIP_DEFLATED):
    file = folder / "study.zip"
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file


@pytest.fixture
def scratch(tmp_path):
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


def test_a_zips_members_come_by_their_names_and_stay_in_the_scratch_folder(tmp_path, scratch):
    members = {"a/1.dcm": b"one", "../../evil": b"two", "/etc/passwd": b"three", "b\\..\\c.dcm": b"four", "DICOMDIR": b"none"}
    items = list(gathered([a_zip(tmp_path, members)], scratch))
    assert [item.path.read_bytes() for item in items] == [b"one", b"two", b"three", b"four"]
    assert all(scratch in item.path.resolve().parents for item in items)
    assert items[1].name.endswith("study.zip: ../../evil")


def test_the_files_of_a_recording_stay_beside_each_other(tmp_path, scratch):
    items = list(gathered([a_zip(tmp_path, {"x/100.hea": b"h", "x/100.dat": b"d", "y/100.dat": b"other"})], scratch))
    assert items[0].path.parent == items[1].path.parent != items[2].path.parent


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_stands_twice_in_an_archive_is_two_files(tmp_path, scratch):
    with zipfile.ZipFile(tmp_path / "twice.zip", "w") as archive:
        for content in (b"one", b"two", b"three"):
            archive.writestr("1.dcm", content)
    assert [item.path.read_bytes() for item in gathered([tmp_path / "twice.zip"], scratch)] == [b"one", b"two", b"three"]


def test_a_bomb_is_not_unpacked(tmp_path, scratch):
    with pytest.raises(Invalid, match="unpacks to far more"):
        list(gathered([a_zip(tmp_path, {"bomb": bytes(64 << 20)})], scratch))
    assert sum(file.stat().st_size for file in scratch.rglob("*") if file.is_file()) < 16 << 20


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not really", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_zip_archive_is_named(tmp_path, scratch, content):
    file = tmp_path / "broken.zip"
    file.write_bytes(content)
    if content.startswith(b"PK\x05"):
        assert list(gathered([file], scratch)) == []
    else:
        with pytest.raises(Invalid, match=r"broken\.zip: is not a readable zip archive"):
            list(gathered([file], scratch))


def test_more_files_than_anyone_means_are_refused(tmp_path, scratch, monkeypatch):
    monkeypatch.setattr(gathering, "MOST_FILES", 2)
    for number in range(3):
        (tmp_path / f"{number}.dcm").write_bytes(b"x")
    with pytest.raises(Invalid, match="more than 2 files"):
        list(gathered([tmp_path], scratch))
