"""One participant's peer connections: one that publishes, and one for each other participant it watches."""

from __future__ import annotations

import re
from collections.abc import Sequence

from aiortc import RTCBundlePolicy, RTCConfiguration, RTCIceServer, RTCSessionDescription
from aiortc.sdp import SessionDescription

from telemed.kernel.errors import Invalid
from web.rtc.relay import ForwardingReceiver, ForwardingSender, RelayConnection

#: Chromium begins at 300 kbit/s and takes ten seconds to climb; a start is offered, no minimum forced on a thin line.
START_KBPS = 600
MOST_MEDIA = 2


class Peer:
    """What the relay holds for one participant."""

    def __init__(self, ice_servers: Sequence[str] = ()) -> None:
        # An empty list, never None: None means a stranger's STUN server.
        self._configuration = RTCConfiguration(
            iceServers=[RTCIceServer(urls=url) for url in ice_servers], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE
        )
        self._publishing: RelayConnection | None = None
        self._watching: dict[str, RelayConnection] = {}

    @property
    def is_publishing(self) -> bool:
        """Tell whether this participant sends anything."""
        return self._publishing is not None

    def receiver(self, kind: str) -> ForwardingReceiver | None:
        """Return the end that takes this participant's audio or video, if it sends any."""
        if self._publishing is None:
            return None
        for transceiver in self._publishing.getTransceivers():
            if transceiver.kind == kind and isinstance(transceiver.receiver, ForwardingReceiver):
                return transceiver.receiver
        return None

    async def publish(self, offer: str) -> str:
        """Take the browser's offer to send; return the answer. A second offer replaces the first.

        Raises
        ------
        Invalid
            when the offer is not an SDP that can be answered.
        """
        if self._publishing is not None:
            publishing, self._publishing = self._publishing, None
            await publishing.close()
        connection = RelayConnection(self._configuration)
        answer = await _answered(connection, offer)
        self._publishing = connection
        return re.sub(r"(a=rtpmap:(\d+) VP8/90000\r\n)", rf"\1a=fmtp:\2 x-google-start-bitrate={START_KBPS}\r\n", answer)

    async def watch(self, who: str, publisher: Peer, offer: str) -> str:
        """Take the browser's offer to receive *publisher*, called *who*; return the answer.

        Raises
        ------
        Invalid
            when the offer is not an SDP that can be answered.
        """
        await self.unwatch(who)
        connection = RelayConnection(self._configuration)
        answer = await _answered(connection, offer, publisher)
        self._watching[who] = connection
        return answer

    async def unwatch(self, who: str) -> None:
        """Stop sending *who* to this participant."""
        connection = self._watching.pop(who, None)
        if connection is not None:
            await connection.close()

    async def close(self) -> None:
        """End every connection."""
        for who in tuple(self._watching):
            await self.unwatch(who)
        if self._publishing is not None:
            publishing, self._publishing = self._publishing, None
            await publishing.close()

    def forwarded(self) -> dict[str, int]:
        """Return how many packets went out to this participant, by who sent them."""
        return {
            who: sum(sender.packets for sender in connection.getSenders() if isinstance(sender, ForwardingSender))
            for who, connection in self._watching.items()
        }


async def _answered(connection: RelayConnection, offer: str, publisher: Peer | None = None) -> str:
    try:
        _check(offer)
        await connection.setRemoteDescription(RTCSessionDescription(sdp=offer, type="offer"))
        if publisher is not None:
            for transceiver in connection.getTransceivers():
                source = publisher.receiver(transceiver.kind)
                if source is not None and isinstance(transceiver.sender, ForwardingSender):
                    transceiver.direction = "sendonly"
                    transceiver.sender.attach(source)
        await connection.setLocalDescription(await connection.createAnswer())
    except Exception as error:  # aiortc raises whatever a stranger's offer makes it stumble over
        await connection.close()
        raise Invalid(f"the browser's media offer cannot be answered: {error}") from error
    return connection.localDescription.sdp


def _check(offer: str) -> None:
    """Raise unless the media come as every browser's: bundled over one encrypted connection. aiortc fails halfway in others."""
    described = SessionDescription.parse(offer)
    media = len(described.media)
    if not 1 <= media <= MOST_MEDIA:
        raise ValueError(f"it names {media} media; a participant has one voice and one picture")
    names = [one.rtp.muxId for one in described.media]
    bundles = [group.items for group in described.group if group.semantic == "BUNDLE"]
    if bundles != [names] or len(set(names)) < media or any(one.dtls is None for one in described.media):
        raise ValueError("its media are not bundled over one encrypted connection")
