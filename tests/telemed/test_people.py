"""`telemed ca`: another authority is trusted, and a user signs with what it issued."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import pytest

from telemed import cli, doctor, keeping
from telemed.config import load


@pytest.fixture
def hospital(tmp_path) -> Path:
    """A folder with a hospital's authority and what it has issued to a doctor, as PKCS#12."""
    (tmp_path / "usage").write_text("keyUsage = critical, digitalSignature, nonRepudiation\n")
    ec = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    for command in (
        ("req", "-x509", *ec, "-days", "2", "-subj", "/CN=Hospital", "-keyout", "ca.key", "-out", "ca.pem"),
        ("req", *ec, "-subj", "/CN=Doctor", "-keyout", "doctor.key", "-out", "doctor.csr"),
        ("x509", "-req", "-in", "doctor.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-extfile", "usage", "-out", "doctor.pem"),
        ("pkcs12", "-export", "-inkey", "doctor.key", "-in", "doctor.pem", "-passout", "pass:secret", "-out", "doctor.p12"),
    ):  # fmt: skip
        subprocess.run(["/usr/bin/openssl", *command], check=True, capture_output=True, cwd=tmp_path)
    return tmp_path


def test_a_user_signs_with_what_a_trusted_authority_issued(hospital, tmp_path, capsys, monkeypatch):
    def telemed(*arguments: str, password: str = "") -> tuple[int, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
        status = cli.main([*arguments, "--data", str(tmp_path / "data")])
        said = capsys.readouterr()
        return status, said.out + said.err

    telemed("institution", "add", "青山县医院", "--kind", "county")
    made = ("--institution", "青山县医院", "--role", "radiologist", "--name", "王敏")
    assert telemed("user", "add", "wangmin", *made, password="a long enough password")[0] == 0
    issued = ("ca", "import", "wangmin", str(hospital / "doctor.p12"))
    assert telemed(*issued, password="secret")[0] == 2, "its authority is not trusted yet"
    assert telemed("ca", "trust", str(hospital / "ca.pem")) == (0, "CN=Hospital\n")
    assert telemed(*issued, password="guessed")[0] == 2
    status, said = telemed(*issued, password="secret")
    assert (status, said.startswith("王敏 signs as CN=Doctor, by CN=Hospital, until ")) == (0, True)
    [signer] = [one for one in doctor.examine(load({"data": str(tmp_path / "data")})) if one.what == "signer"]
    assert (signer.fine, "CN=Doctor" in signer.sentence) == (False, True), "it ends in a month's time"
    assert telemed("ca", "import", "nobody", str(hospital / "doctor.p12"), password="secret")[0] == 2
    assert telemed("ca", "remove", "wangmin") == (0, "")
    assert telemed("ca", "remove", "wangmin")[0] == 2
    with keeping.kept(load({"data": str(tmp_path / "data")})) as store:
        told = [
            event.type
            for event in store.chronicle.events.after(0, types=["AuthorityTrusted", "CertificateImported", "CertificateRemoved"])
        ]
    assert told == ["AuthorityTrusted", "CertificateImported", "CertificateRemoved"]
