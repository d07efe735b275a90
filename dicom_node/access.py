"""Who may associate: policies that answer an A-ASSOCIATE-RQ with an institution or with a reject reason of PS3.8 9.3.4."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Protocol

from dicom_node.refusals import Refusal


class Reject(Enum):
    """(result, source, reason) of an A-ASSOCIATE-RJ, PS3.8 Table 9-21."""

    UNKNOWN_CALLING_AE = (0x01, 0x01, 0x03)
    UNKNOWN_CALLED_AE = (0x01, 0x01, 0x07)
    TEMPORARILY_CONGESTED = (0x02, 0x03, 0x01)


class InstitutionOf(Protocol):
    """Anything that knows whose equipment calls."""

    def __call__(self, ae_title: str, address: str, fingerprint: str) -> str | None:
        """Return the institution that *ae_title* at *address* belongs to, or None when nobody knows it.

        *fingerprint* is the SHA-256 of the certificate it has shown, in hexadecimal; empty when it has shown none.
        """
        ...


@dataclass(frozen=True)
class Certificate:
    """What a caller over TLS has proved: the names in its certificate, and the certificate's SHA-256 in hexadecimal."""

    names: frozenset[str]
    sha256: str


@dataclass(frozen=True)
class KnownPeer:
    """An AE title that counts as *institution*'s when it calls from one of *networks*; "*" stands for any title.

    Where *certificate_sha256* is not empty, only a caller with that certificate is meant.
    """

    ae_title: str
    networks: tuple[IPv4Network | IPv6Network, ...]
    institution: str
    certificate_sha256: str = ""


@dataclass(frozen=True)
class KnownPeers:
    """The plain form of InstitutionOf: a list, the first entry that fits decides."""

    peers: Sequence[KnownPeer]

    def __call__(self, ae_title: str, address: str, fingerprint: str) -> str | None:
        """Return the institution of the first fitting entry."""
        caller = ip_address(address.partition("%")[0])
        caller = getattr(caller, "ipv4_mapped", None) or caller
        for peer in self.peers:
            fits = peer.ae_title in ("*", ae_title) and peer.certificate_sha256 in ("", fingerprint)
            if fits and any(caller.version == net.version and caller in net for net in peer.networks):
                return peer.institution
        return None


@dataclass(frozen=True)
class Access:
    """The policy of one node: which called AE title it answers to, and who may call.

    *called_aet* None answers to every title (some modalities cannot be configured). *refused* is told of whom it turns away.
    """

    institution_of: InstitutionOf
    called_aet: str | None
    refused: Callable[[Refusal], None] = lambda _refusal: None

    def admit(self, calling_aet: str, called_aet: str, address: str, certificate: Certificate | None = None) -> str | Reject:
        """Return the caller's institution, or why it is turned away; a *certificate* speaks only for the titles it names."""
        if self.called_aet is not None and called_aet != self.called_aet:
            reject, why = Reject.UNKNOWN_CALLED_AE, "the called AE title is not ours"
        elif certificate is not None and calling_aet not in certificate.names:
            reject, why = Reject.UNKNOWN_CALLING_AE, "the certificate does not name the calling AE title"
        else:
            found = self.institution_of(calling_aet, address, "" if certificate is None else certificate.sha256)
            if found:
                return found
            reject, why = Reject.UNKNOWN_CALLING_AE, "nobody's AE title, or not from this address or with this certificate"
        self.refused(Refusal(calling_aet, called_aet, address, why))
        return reject
