/** Peer connections with the relay: one to send, one for each other person to receive. */

/** Candidates are of this network only, so they are all known within a moment. */
const GATHERING_MS = 2000;
/** A face in a corner needs no more; the sender goes lower by itself when the line is thin. */
const MOST_BITS_PER_S = 500_000;

export interface Offered {
  readonly connection: RTCPeerConnection;
  readonly sdp: string;
}

export async function offerToSend(stream: MediaStream, iceServers: readonly string[]): Promise<Offered> {
  const connection = connect(iceServers);
  for (const track of stream.getTracks()) {
    const encodings = track.kind === "video" ? [{ maxBitrate: MOST_BITS_PER_S }] : [];
    const transceiver = connection.addTransceiver(track, { direction: "sendonly", streams: [stream], sendEncodings: encodings });
    carryOneCodec(transceiver, track.kind, RTCRtpSender.getCapabilities(track.kind));
  }
  return offered(connection);
}

/** *onStream* is called once the other's first track is there. */
export async function offerToReceive(iceServers: readonly string[], onStream: (stream: MediaStream) => void): Promise<Offered> {
  const connection = connect(iceServers);
  const stream = new MediaStream();
  connection.ontrack = (event) => {
    stream.addTrack(event.track);
    onStream(stream);
  };
  for (const kind of ["audio", "video"]) {
    carryOneCodec(connection.addTransceiver(kind, { direction: "recvonly" }), kind, RTCRtpReceiver.getCapabilities(kind));
  }
  return offered(connection);
}

function connect(iceServers: readonly string[]): RTCPeerConnection {
  return new RTCPeerConnection({ iceServers: iceServers.map((urls) => ({ urls })), bundlePolicy: "max-bundle" });
}

/** The relay passes packets on as they are, so everybody must speak the same: Opus, and VP8 with retransmission. */
function carryOneCodec(transceiver: RTCRtpTransceiver, kind: string, capabilities: RTCRtpCapabilities | null): void {
  const carried = kind === "audio" ? ["audio/opus"] : ["video/VP8", "video/rtx"];
  const codecs = (capabilities?.codecs ?? []).filter((codec) => carried.includes(codec.mimeType));
  if (codecs.length) transceiver.setCodecPreferences(codecs);
}

async function offered(connection: RTCPeerConnection): Promise<Offered> {
  await connection.setLocalDescription(await connection.createOffer());
  await new Promise<void>((done) => {
    const look = (): void => {
      if (connection.iceGatheringState === "complete") done();
    };
    connection.addEventListener("icegatheringstatechange", look);
    window.setTimeout(done, GATHERING_MS);
    look();
  });
  return { connection, sdp: connection.localDescription?.sdp ?? "" };
}
