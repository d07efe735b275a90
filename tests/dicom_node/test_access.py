from ipaddress import ip_network

from dicom_node.access import Access, Certificate, KnownPeer, KnownPeers, Reject

ANYWHERE = (ip_network("0.0.0.0/0"),)


def test_a_caller_is_known_by_title_and_address_together():
    known = KnownPeers([KnownPeer("CT1", (ip_network("10.1.0.0/16"),), "a"), KnownPeer("*", (ip_network("fd00::/8"),), "b")])
    assert known("CT1", "10.1.2.3", "") == known("CT1", "::ffff:10.1.2.3", "") == "a"
    assert known("CT1", "10.2.0.1", "") is None
    assert known("ANY", "fd00::1%eth0", "") == "b"
    assert Access(known, None).admit("CT1", "WHATEVER", "10.1.2.3") == "a"
    assert Access(known, "TELEMED").admit("CT1", "OTHER", "10.1.2.3") is Reject.UNKNOWN_CALLED_AE


def test_a_title_bound_to_a_certificate_is_nobodys_without_it():
    access = Access(KnownPeers([KnownPeer("CT1", ANYWHERE, "a", "11"), KnownPeer("CT1", ANYWHERE, "b", "22")]), None)
    for shown, admitted in (
        (None, Reject.UNKNOWN_CALLING_AE),
        (Certificate(frozenset({"CT1"}), "33"), Reject.UNKNOWN_CALLING_AE),
        (Certificate(frozenset({"CT1"}), "11"), "a"),
        (Certificate(frozenset({"CT1"}), "22"), "b"),
        (Certificate(frozenset({"US1"}), "11"), Reject.UNKNOWN_CALLING_AE),
    ):
        assert access.admit("CT1", "TELEMED", "10.1.2.3", shown) == admitted
