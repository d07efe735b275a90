from __future__ import annotations

from pathlib import Path

import pytest

from telemed.config import Address, Config, load
from telemed.kernel.errors import Invalid


def test_the_defaults_are_the_documented_ones(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = load({}, environment={})
    assert (str(config.http), str(config.dicom), config.aet) == ("127.0.0.1:8080", "0.0.0.0:11112", "TELEMED")
    assert config.database_url == "sqlite:///data/telemed.sqlite"


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(tmp_path):
    file = tmp_path / "telemed.toml"
    file.write_text('aet = "FROMFILE"\nhttp = "127.0.0.1:1"\nquiet_s = 7\n')
    environment = {"TELEMED_HTTP": "127.0.0.1:2", "TELEMED_DICOM": "127.0.0.1:3"}
    config = load({"config": str(file), "dicom": "127.0.0.1:4"}, environment=environment)
    assert (config.aet, config.http.port, config.dicom.port, config.quiet_s) == ("FROMFILE", 2, 4, 7.0)


@pytest.mark.parametrize(
    ("options", "environment", "what"),
    [
        ({"http": "8080"}, {}, "HOST:PORT"),
        ({"http": "localhost:99999"}, {}, "HOST:PORT"),
        ({}, {"TELEMED_DEMO": "perhaps"}, "TELEMED_DEMO"),
        ({}, {"TELEMED_QUIET_S": "long"}, "TELEMED_QUIET_S"),
        ({"aet": "FAR TOO LONG A TITLE"}, {}, "16"),
        ({"config": "nowhere.toml"}, {}, "nowhere.toml"),
    ],
)
def test_a_wrong_value_is_named_in_one_sentence(options, environment, what):
    with pytest.raises(Invalid, match=what):
        load(options, environment=environment)


def test_an_unknown_setting_in_the_file_is_named(tmp_path: Path):
    file = tmp_path / "telemed.toml"
    file.write_text("colour = 'green'\n")
    with pytest.raises(Invalid, match="colour"):
        load({"config": str(file)}, environment={})


def test_addresses_are_written_as_they_are_read():
    for text in ("127.0.0.1:8080", "[::1]:11112"):
        assert str(Address.parse(text)) == text


def test_nothing_but_the_data_folder_decides_where_sqlite_lies():
    assert Config(data=Path("/srv/telemed")).database_url == "sqlite:////srv/telemed/telemed.sqlite"
