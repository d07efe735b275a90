"""`telemed doctor` and what it looks at."""

from __future__ import annotations

import socket

import pytest
from pynetdicom import AE
from pynetdicom.sop_class import Verification

from telemed import doctor, equipment
from telemed.config import Address, Config


@pytest.fixture
def config(tmp_path):
    return Config(data=tmp_path / "data", http=Address("127.0.0.1", 0), dicom=Address("127.0.0.1", 0))


def found(config):
    return {finding.what: finding for finding in doctor.examine(config)}


def test_a_peer_is_echoed_and_one_that_is_away_is_named(config):
    ae = AE("ORTHANC")
    ae.add_supported_context(Verification)
    server = ae.start_server(("127.0.0.1", 0), block=False)
    equipment.add_peer(config, "ORTHANC", f"127.0.0.1:{server.server_address[1]}", institution="")
    assert found(config)["peer"].fine
    server.shutdown()
    peer = found(config)["peer"]
    assert not peer.fine
    assert "ORTHANC@127.0.0.1" in peer.sentence


def test_the_tls_port_and_its_certificate_are_looked_at(config, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        files = {f"dicom_tls_{name}": tmp_path / f"{name}.pem" for name in ("certificate", "key", "client_ca")}
        address = Address("127.0.0.1", taken.getsockname()[1])
        config = Config(data=config.data, http=config.http, dicom=config.dicom, dicom_tls=address, **files)
        findings = found(config)
    assert not findings["DICOM over TLS"].fine
    assert "certificate.pem" in findings["certificate"].sentence


def test_what_waits_in_the_journal_is_counted(config):
    assert found(config)["journal"].sentence.startswith("0 objects")
