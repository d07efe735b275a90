from ipaddress import ip_network

from dicom_node.access import Access, KnownPeer, KnownPeers, Reject


def test_a_caller_is_known_by_title_and_address_together():
    known = KnownPeers([KnownPeer("CT1", (ip_network("10.1.0.0/16"),), "a"), KnownPeer("*", (ip_network("fd00::/8"),), "b")])
    assert known("CT1", "10.1.2.3") == known("CT1", "::ffff:10.1.2.3") == "a"
    assert known("CT1", "10.2.0.1") is None
    assert known("ANY", "fd00::1%eth0") == "b"
    assert Access(known, None).admit("CT1", "WHATEVER", "10.1.2.3") == "a"
    assert Access(known, "TELEMED").admit("CT1", "OTHER", "10.1.2.3") is Reject.UNKNOWN_CALLED_AE
