"""The relay between stock aiortc peers: real ICE, DTLS, SRTP and VP8, so that a change of aiortc's internals fails here."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError, VideoStreamTrack

from telemed.kernel.errors import Invalid
from web.rtc.peer import Peer
from web.rtc.relay import ForwardingReceiver, ForwardingSender


async def publishing(peer: Peer) -> RTCPeerConnection:
    browser = RTCPeerConnection()
    browser.addTrack(VideoStreamTrack())
    browser.addTrack(AudioStreamTrack())
    await browser.setLocalDescription(await browser.createOffer())
    answer = await peer.publish(browser.localDescription.sdp)
    await browser.setRemoteDescription(RTCSessionDescription(sdp=answer, type="answer"))
    return browser


async def watching(peer: Peer, who: str, publisher: Peer):
    browser = RTCPeerConnection()
    frames = {"video": 0, "audio": 0}
    reading = []

    @browser.on("track")
    def on_track(track):
        async def read():
            with contextlib.suppress(MediaStreamError):
                while True:
                    await track.recv()
                    frames[track.kind] += 1

        reading.append(asyncio.ensure_future(read()))

    browser.addTransceiver("video", direction="recvonly")
    browser.addTransceiver("audio", direction="recvonly")
    await browser.setLocalDescription(await browser.createOffer())
    answer = await peer.watch(who, publisher, browser.localDescription.sdp)
    await browser.setRemoteDescription(RTCSessionDescription(sdp=answer, type="answer"))
    return browser, frames, reading


async def until(condition, seconds=20):
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is awaited happens inside aiortc
            await asyncio.sleep(0.05)


def test_what_one_sends_two_decode_and_one_who_comes_late_too():
    async def story():
        speaker, early, late = Peer(), Peer(), Peer()
        sending = await publishing(speaker)
        first, first_frames, reading_first = await watching(early, "speaker", speaker)
        await until(lambda: first_frames["video"] > 5 and first_frames["audio"] > 5)
        second, second_frames, reading_second = await watching(late, "speaker", speaker)
        await until(lambda: second_frames["video"] > 5 and second_frames["audio"] > 5)
        assert early.forwarded()["speaker"] > late.forwarded()["speaker"] > 0
        for ended in (first, second, sending, early, late, speaker):
            await ended.close()
        for reading in reading_first + reading_second:
            reading.cancel()

    asyncio.run(story())


def test_a_lost_packet_is_sent_again():
    async def story():
        speaker, listener = Peer(), Peer()
        sending = await publishing(speaker)
        browser, frames, readers = await watching(listener, "speaker", speaker)
        await until(lambda: frames["video"] > 2)
        (sender,) = (one for one in listener._watching["speaker"].getSenders() if one.kind == "video")
        resent, real_write = [], sender._write
        drop = {"next": 0}

        def leaky(payload_type, ssrc, number, *rest):
            if ssrc == sender._rtx_ssrc:
                resent.append(number)
            elif drop["next"] < 3 and number % 7 == 0:
                drop["next"] += 1
                return
            real_write(payload_type, ssrc, number, *rest)

        sender._write = leaky
        await until(lambda: len(resent) >= 3)
        seen = frames["video"]
        await until(lambda: frames["video"] > seen + 5)
        for ended in (browser, sending, listener, speaker):
            await ended.close()
        for reading in readers:
            reading.cancel()

    asyncio.run(story())


def test_an_offer_that_is_no_sdp_is_refused_in_a_sentence():
    async def story():
        peer = Peer()
        with pytest.raises(Invalid, match="cannot be answered"):
            await peer.publish("v=0\r\nnonsense")
        await peer.close()

    asyncio.run(story())


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("a=group:BUNDLE 0 1", "a=group:BUNDLE 7 1"),
        ("a=group:BUNDLE 0 1\r\n", ""),
        ("a=mid:1", "a=mid:0"),
        ("a=setup:actpass\r\n", ""),
        ("a=fmtp:", "a=fmtp\r\na="),
        ("typ host", "typ"),
    ],
)
def test_an_offer_no_browser_makes_is_refused_and_the_next_is_answered(line, instead):
    async def story():
        peer, browser = Peer(), RTCPeerConnection()
        for track in (AudioStreamTrack(), VideoStreamTrack()):
            browser.addTrack(track)
        await browser.setLocalDescription(await browser.createOffer())
        offer = browser.localDescription.sdp
        assert line in offer
        with pytest.raises(Invalid, match="cannot be answered"):
            await peer.publish(offer.replace(line, instead))
        assert not peer.is_publishing
        assert "m=video" in await peer.publish(offer)
        await peer.close()
        await browser.close()

    asyncio.run(story())


def test_nothing_is_decoded():
    """The forwarding ends start neither aiortc's decoder thread nor its encoder task."""

    async def story():
        speaker, listener = Peer(), Peer()
        sending = await publishing(speaker)
        browser, frames, readers = await watching(listener, "speaker", speaker)
        await until(lambda: frames["video"] > 2)
        for end in speaker._publishing.getReceivers():
            assert isinstance(end, ForwardingReceiver)
            assert end._RTCRtpReceiver__decoder_thread is None
        for end in listener._watching["speaker"].getSenders():
            assert isinstance(end, ForwardingSender)
            assert end._RTCRtpSender__rtp_task is None
        for ended in (browser, sending, listener, speaker):
            await ended.close()
        for reading in readers:
            reading.cancel()

    asyncio.run(story())
