import pytest

from dicom_node.peers import Peer
from telemed.kernel.errors import Invalid


def test_a_peer_is_written_aet_at_host_port():
    assert Peer.parse("TELEMED@10.0.0.5:11112") == Peer("TELEMED", "10.0.0.5", 11112)
    assert Peer.parse("A@[::1]:104").host == "::1"
    for wrong in ("TELEMED", "TELEMED@host", "A@b:0", "A@b:99999", "@b:1", "A" * 17 + "@b:1"):
        with pytest.raises(Invalid, match="AET@HOST:PORT"):
            Peer.parse(wrong)
