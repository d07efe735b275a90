"""RTP packets passed from one publisher to many subscribers under a new header, nothing decoded (RFC 3550, RFC 7667 section 3.7).

A publisher's receiver keeps no jitter buffer and no decoder: it asks again for lost packets (NACK, RFC 4585), estimates
the uplink (REMB), and hands each packet to its sinks. A subscriber's sender rewrites SSRC, sequence number, timestamp
and payload type, answers NACKs from what it sent, and passes requests for a key frame up. Compared with decoding and
encoding once per subscriber this costs a twentieth of the processor and keeps every frame.

Both replace aiortc's own ends by overriding internals of aiortc 1.16: RTCPeerConnection.__createTransceiver,
RTCRtpReceiver.{receive, stop, _handle_rtp_packet, _handle_rtcp_packet, _handle_disconnect, _set_rtcp_ssrc} and
RTCRtpSender.{send, stop, _handle_rtcp_packet}.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import struct
import time
from dataclasses import dataclass, field

from aiortc import RTCPeerConnection, RTCRtpTransceiver, clock
from aiortc.codecs import get_capabilities, is_rtx
from aiortc.codecs.vpx import VpxPayloadDescriptor
from aiortc.mediastreams import MediaStreamTrack
from aiortc.rate import RemoteBitrateEstimator
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpReceiveParameters, RTCRtpSendParameters
from aiortc.rtcrtpreceiver import NackGenerator, RTCRtpReceiver, StreamStatistics
from aiortc.rtcrtpsender import RTCRtpSender
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    AnyRtcpPacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSdesPacket,
    RtcpSenderInfo,
    RtcpSourceInfo,
    RtcpSrPacket,
    RtpPacket,
    pack_remb_fci,
    unwrap_rtx,
)

#: How many sent packets a sender can send again; two seconds of video at 500 packets a second.
HISTORY = 1024
#: A lost packet is asked for this often, every tenth of a second; after that the picture is repaired by a key frame.
NACK_TRIES = 6
TICK_S = 0.1
#: At most one request for a key frame in this time; later ones wait for their turn, they are never dropped.
KEYFRAME_EVERY_S = 0.3

#: One codec for all, so that what one browser encodes every other decodes; both are mandatory for browsers (RFC 7742, RFC 7874).
CARRIED = {"audio": {"audio/opus"}, "video": {"video/vp8", "video/rtx"}}

MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"


def starts_keyframe(payload: bytes) -> bool:
    """Tell whether this RTP payload begins a VP8 key frame (RFC 7741 section 4)."""
    try:
        descriptor, rest = VpxPayloadDescriptor.parse(payload)
    except ValueError:
        return False
    return bool(descriptor.partition_start and descriptor.partition_id == 0 and rest and not rest[0] & 1)


@dataclass
class Stream:
    """What one publisher's SSRC has sent so far."""

    ssrc: int
    statistics: StreamStatistics
    missing: NackGenerator | None
    tries: dict[int, int] = field(default_factory=dict)
    last_report: tuple[int, float] | None = None
    keyframe_wanted: bool = False
    keyframe_asked_at: float = 0.0


class ForwardingReceiver(RTCRtpReceiver):
    """The publisher's end: no jitter buffer, no decoder; every packet goes to `sinks`."""

    def __init__(self, kind: str, transport: RTCDtlsTransport) -> None:
        super().__init__(kind, transport)
        self.kind = kind
        self.sinks: list[ForwardingSender] = []
        self.packets = 0
        self._codecs: dict[int, RTCRtpCodecParameters] = {}
        self._original_of: dict[int, int] = {}
        self._stream: Stream | None = None
        self._estimator = RemoteBitrateEstimator() if kind == "video" else None
        self._own_ssrc = 0
        self._ticking: asyncio.Task[None] | None = None

    def _set_rtcp_ssrc(self, ssrc: int) -> None:
        self._own_ssrc = ssrc

    async def receive(self, parameters: RTCRtpReceiveParameters) -> None:
        """Begin to receive; asked again at each negotiation, it begins once."""
        if self._ticking is not None:
            return
        self._codecs = {codec.payloadType: codec for codec in parameters.codecs if codec.payloadType is not None}
        self._original_of = {coding.rtx.ssrc: coding.ssrc for coding in parameters.encodings if coding.rtx and coding.rtx.ssrc}
        self.transport._register_rtp_receiver(self, parameters)  # noqa: SLF001 - aiortc's router, see the module's docstring
        self._ticking = asyncio.ensure_future(self._tick())

    async def stop(self) -> None:
        """End for good."""
        if self._ticking is not None:
            self.transport._unregister_rtp_receiver(self)  # noqa: SLF001 - see receive
            self._ticking.cancel()
        self.sinks.clear()

    def _handle_disconnect(self) -> None:
        self.sinks.clear()

    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None:
        stream = self._stream
        if isinstance(packet, RtcpSrPacket) and stream is not None and packet.ssrc == stream.ssrc:
            stream.last_report = (packet.sender_info.ntp_timestamp, time.time())
            for sink in self.sinks:
                await sink.report(packet.sender_info)

    async def _handle_rtp_packet(self, packet: RtpPacket, arrival_time_ms: int) -> None:
        codec = self._codecs.get(packet.payload_type)
        if codec is None:
            return
        await self._estimate(packet, arrival_time_ms)
        if is_rtx(codec):
            original = self._original_of.get(packet.ssrc)
            apt = codec.parameters.get("apt")
            # The first SSRC seen may be the retransmissions': a key frame asked there would never come.
            if original is None or len(packet.payload) < 2 or apt not in self._codecs:
                return
            packet = unwrap_rtx(packet, payload_type=apt, ssrc=original)
        stream = self._stream
        if stream is None or stream.ssrc != packet.ssrc:
            missing = NackGenerator() if self.kind == "video" else None
            stream = self._stream = Stream(packet.ssrc, StreamStatistics(codec.clockRate), missing)
            stream.keyframe_wanted = bool(self.sinks)
        self.packets += 1
        stream.statistics.add(packet)
        if stream.missing is not None and stream.missing.add(packet):
            await self._ask_again(stream)
        if stream.keyframe_wanted and starts_keyframe(packet.payload):
            stream.keyframe_wanted = False
        for sink in tuple(self.sinks):
            sink.forward(packet)

    async def _estimate(self, packet: RtpPacket, arrival_time_ms: int) -> None:
        if self._estimator is None or packet.extensions.abs_send_time is None:
            return
        estimate = self._estimator.add(
            abs_send_time=packet.extensions.abs_send_time,
            arrival_time_ms=arrival_time_ms,
            payload_size=len(packet.payload) + packet.padding_size,
            ssrc=packet.ssrc,
        )
        if estimate is not None:
            feedback = pack_remb_fci(*estimate)
            await self._send(RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=self._own_ssrc, media_ssrc=0, fci=feedback))

    async def _ask_again(self, stream: Stream) -> None:
        assert stream.missing is not None
        wanted = [number for number in sorted(stream.missing.missing) if stream.tries.get(number, 0) < NACK_TRIES]
        if not wanted:
            return
        stream.tries = {number: tries for number, tries in stream.tries.items() if number in stream.missing.missing}
        for number in wanted:
            stream.tries[number] = stream.tries.get(number, 0) + 1
        request = RtcpRtpfbPacket(fmt=RTCP_RTPFB_NACK, ssrc=self._own_ssrc, media_ssrc=stream.ssrc)
        request.lost = wanted
        await self._send(request)

    def want_keyframe(self) -> None:
        """Have the publisher asked for a key frame, soon; a late subscriber can show nothing before one."""
        if self._stream is not None:
            self._stream.keyframe_wanted = True

    async def _tick(self) -> None:
        beats = 0
        while True:
            await asyncio.sleep(TICK_S)
            beats += 1
            stream = self._stream
            if stream is None:
                continue
            if stream.missing is not None and stream.missing.missing:
                await self._ask_again(stream)
            now = time.monotonic()
            if stream.keyframe_wanted and self.kind == "video" and now - stream.keyframe_asked_at >= KEYFRAME_EVERY_S:
                stream.keyframe_asked_at = now
                await self._send(RtcpPsfbPacket(fmt=RTCP_PSFB_PLI, ssrc=self._own_ssrc, media_ssrc=stream.ssrc))
            if beats % 10 == 0:
                await self._report(stream)

    async def _report(self, stream: Stream) -> None:
        heard, since = 0, 0
        if stream.last_report is not None:
            heard = (stream.last_report[0] >> 16) & 0xFFFFFFFF
            since = int((time.time() - stream.last_report[1]) * 65536) & 0xFFFFFFFF
        statistics = stream.statistics
        info = RtcpReceiverInfo(
            ssrc=stream.ssrc,
            fraction_lost=statistics.fraction_lost,
            packets_lost=statistics.packets_lost,
            highest_sequence=statistics.max_seq or 0,
            jitter=statistics.jitter,
            lsr=heard,
            dlsr=since,
        )
        await self._send(RtcpRrPacket(ssrc=self._own_ssrc, reports=[info]))

    async def _send(self, packet: AnyRtcpPacket) -> None:
        with contextlib.suppress(ConnectionError):
            await self.transport._send_rtp(bytes(packet))  # noqa: SLF001 - see the module's docstring


class ForwardingSender(RTCRtpSender):
    """A subscriber's end: no encoder; `forward` writes a packet out under this sender's own header."""

    def __init__(self, track_or_kind: MediaStreamTrack | str, transport: RTCDtlsTransport) -> None:
        super().__init__(track_or_kind, transport)
        self.packets = 0
        self._octets = 0
        self._source: ForwardingReceiver | None = None
        self._parameters: RTCRtpSendParameters | None = None
        self._payload_type = 0
        self._rtx_payload_type: int | None = None
        self._rtx_number = random.randrange(1 << 15)  # noqa: S311 - an RTP start value guards nothing
        # Sequence numbers begin in the lower half: a wrap at the start breaks SRTP (RFC 3711 section 3.3.1).
        self._number = random.randrange(1 << 15)  # noqa: S311 - see above
        self._timestamp = random.randrange(1 << 31)  # noqa: S311 - see above
        self._from: tuple[int, int, int] | None = None
        self._sent: list[tuple[int, RtpPacket, int] | None] = [None] * HISTORY
        self._extension = b""
        self._send_time_at: int | None = None

    async def send(self, parameters: RTCRtpSendParameters) -> None:
        """Take the negotiated parameters; packets flow once a source is attached."""
        if self._parameters is not None:
            return
        self._parameters = parameters
        self.transport._register_rtp_sender(self, parameters)  # noqa: SLF001 - see the module's docstring
        self._payload_type = parameters.codecs[0].payloadType or 0
        for codec in parameters.codecs:
            if is_rtx(codec) and codec.parameters.get("apt") == self._payload_type:
                self._rtx_payload_type = codec.payloadType
        self._extension, self._send_time_at = _extension_block(parameters)
        if self._source is not None:
            self._source.want_keyframe()

    async def stop(self) -> None:
        """End for good."""
        if self._source is not None and self in self._source.sinks:
            self._source.sinks.remove(self)
        if self._parameters is not None:
            self.transport._unregister_rtp_sender(self)  # noqa: SLF001 - see the module's docstring
            self._parameters = None

    def attach(self, source: ForwardingReceiver) -> None:
        """Send what *source* receives, from its next key frame on."""
        self._source = source
        source.sinks.append(self)
        source.want_keyframe()

    def forward(self, packet: RtpPacket) -> None:
        """Write *packet* out under this sender's SSRC, numbers and payload type."""
        if self._parameters is None:
            return
        if self._from is None or self._from[0] != packet.ssrc:
            if self.kind == "video" and not starts_keyframe(packet.payload):
                return
            shift = (self._number + 1 - packet.sequence_number) & 0xFFFF
            self._from = (packet.ssrc, shift, (self._timestamp + 3000 - packet.timestamp) & 0xFFFFFFFF)
        _, number_shift, time_shift = self._from
        number = (packet.sequence_number + number_shift) & 0xFFFF
        timestamp = (packet.timestamp + time_shift) & 0xFFFFFFFF
        if (number - self._number) & 0x8000 == 0:
            self._number, self._timestamp = number, timestamp
        self._sent[number % HISTORY] = (number, packet, timestamp)
        self.packets += 1
        self._octets += len(packet.payload)
        self._write(self._payload_type, self._ssrc, number, timestamp, packet.marker, packet.payload)

    def _write(self, payload_type: int, ssrc: int, number: int, timestamp: int, marker: int, payload: bytes) -> None:  # noqa: PLR0917 - the header's own fields
        # Written by hand: one packet for each subscriber is the relay's whole cost.
        extension = self._extension
        if self._send_time_at is not None:
            now = (clock.current_ntp_time() >> 14) & 0xFFFFFF
            extension = extension[: self._send_time_at] + now.to_bytes(3, "big") + extension[self._send_time_at + 3 :]
        first = 0x90 if extension else 0x80
        header = struct.pack("!BBHLL", first, (marker << 7) | payload_type, number, timestamp, ssrc)
        asyncio.ensure_future(self._send(header + extension + payload))  # noqa: RUF006 - it ends with the datagram

    async def _send(self, data: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            await self.transport._send_rtp(data)  # noqa: SLF001 - see the module's docstring

    async def report(self, heard: RtcpSenderInfo) -> None:
        """Pass the publisher's sender report on in this sender's own time, so that lips and voice stay together."""
        if self._parameters is None or self._from is None:
            return
        info = RtcpSenderInfo(
            ntp_timestamp=heard.ntp_timestamp,
            rtp_timestamp=(heard.rtp_timestamp + self._from[2]) & 0xFFFFFFFF,
            packet_count=self.packets & 0xFFFFFFFF,
            octet_count=self._octets & 0xFFFFFFFF,
        )
        name = (self._parameters.rtcp.cname or "").encode()
        source = RtcpSdesPacket(chunks=[RtcpSourceInfo(ssrc=self._ssrc, items=[(1, name)])])
        await self._send(bytes(RtcpSrPacket(ssrc=self._ssrc, sender_info=info)) + bytes(source))

    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None:
        if isinstance(packet, RtcpRtpfbPacket) and packet.fmt == RTCP_RTPFB_NACK:
            for number in packet.lost:
                self._resend(number)
        elif isinstance(packet, RtcpPsfbPacket) and packet.fmt in (RTCP_PSFB_FIR, RTCP_PSFB_PLI) and self._source is not None:
            self._source.want_keyframe()

    def _resend(self, number: int) -> None:
        sent = self._sent[number % HISTORY]
        if sent is None or sent[0] != number or self._parameters is None:
            return
        _, packet, timestamp = sent
        if self._rtx_payload_type is None:
            self._write(self._payload_type, self._ssrc, number, timestamp, packet.marker, packet.payload)
            return
        payload = struct.pack("!H", number) + packet.payload  # RFC 4588 section 4
        self._write(self._rtx_payload_type, self._rtx_ssrc, self._rtx_number, timestamp, packet.marker, payload)
        self._rtx_number = (self._rtx_number + 1) & 0xFFFF


def _extension_block(parameters: RTCRtpSendParameters) -> tuple[bytes, int | None]:
    """Return the one-byte header extensions (RFC 8285 section 4.2) of every packet, and where the send time goes in it."""
    content, send_time_at = b"", None
    for extension in parameters.headerExtensions:
        if extension.uri == MID:
            mid = parameters.muxId.encode()
            content += bytes([extension.id << 4 | len(mid) - 1]) + mid
        elif extension.uri == SEND_TIME:
            content += bytes([extension.id << 4 | 2])
            send_time_at = 4 + len(content)
            content += bytes(3)
    if not content:
        return b"", None
    content += bytes(-len(content) % 4)
    return struct.pack("!HH", 0xBEDE, len(content) // 4) + content, send_time_at


class RelayConnection(RTCPeerConnection):
    """A peer connection whose receivers and senders pass packets on."""

    def _RTCPeerConnection__createTransceiver(  # noqa: N802 - aiortc's own, made by name mangling
        self, direction: str, kind: str, sender_track: MediaStreamTrack | None = None
    ) -> RTCRtpTransceiver:
        make = super()._RTCPeerConnection__createTransceiver  # type: ignore[misc] # see above
        transceiver: RTCRtpTransceiver = make(direction, kind, sender_track)
        transport = transceiver.receiver.transport
        sender, receiver = ForwardingSender(kind, transport), ForwardingReceiver(kind, transport)
        sender._stream_id = transceiver.sender._stream_id  # noqa: SLF001 - see the module's docstring
        receiver._set_rtcp_ssrc(sender._ssrc)  # noqa: SLF001 - see the module's docstring
        transceiver._RTCRtpTransceiver__sender = sender  # type: ignore[attr-defined] # noqa: SLF001 - see above
        transceiver._RTCRtpTransceiver__receiver = receiver  # type: ignore[attr-defined] # noqa: SLF001 - see above
        carried = [codec for codec in get_capabilities(kind).codecs if codec.mimeType.lower() in CARRIED[kind]]
        transceiver.setCodecPreferences(carried)
        return transceiver
