/**
 * One person's seat at a round's table: the socket, the media, and the view that all share.
 *
 * What others show arrives through `onView`; what this person shows goes out by `show`, at most once a frame. The seat
 * finds its way back by itself when the line breaks, with everything as it was.
 */
import { reactive, ref, shallowReactive, type Ref } from "vue";
import { joinRound } from "@/rounds/operations";
import { backoff } from "@/api/live";
import { giveBack, has, ownMedia, setEnabled, type Silence } from "@/rounds/media";
import type { Heard, Said, Seat, SharedView } from "@/rounds/messages";
import { offerToReceive, offerToSend } from "@/rounds/peer";
import type { ViewerPointer, ViewerState } from "@/viewer/state";

export type Line = "connecting" | "connected" | "reconnecting" | "closed";

export class RoundTable {
  readonly line: Ref<Line> = ref("connecting");
  readonly seats = reactive(new Map<string, Seat>());
  /** What each other person sends, by their id. */
  readonly streams = shallowReactive(new Map<string, MediaStream>());
  readonly own: Ref<MediaStream | null> = ref(null);
  readonly silence: Ref<Silence> = ref(null);
  readonly microphone = ref(true);
  readonly camera = ref(true);
  readonly you = ref("");
  onView: (view: SharedView) => void = () => undefined;
  onPoint: (by: string, pointer: ViewerPointer) => void = () => undefined;

  private socket: WebSocket | null = null;
  private sending: RTCPeerConnection | null = null;
  private readonly receiving = new Map<string, RTCPeerConnection>();
  private iceServers: readonly string[] = [];
  private attempt = 0;
  private timer: number | undefined;
  private left = false;
  private pending: ViewerState | null = null;
  private frame = 0;
  private pointed: ViewerPointer | null = null;

  constructor(private readonly roundId: string) {}

  /** Open camera and microphone, to be looked at before anybody else sees them. */
  async prepare(): Promise<void> {
    const { stream, silence } = await ownMedia();
    if (this.left) return giveBack(stream);
    [this.own.value, this.silence.value] = [stream, silence];
    this.microphone.value = has(stream, "audio");
    this.camera.value = has(stream, "video");
  }

  /** Take the seat; raises Problem when the round is closed, full, or not for this person. */
  async sit(): Promise<void> {
    const joined = await joinRound(this.roundId);
    if (this.left) return;
    this.iceServers = joined.ice_servers;
    const socket = new WebSocket(new URL(joined.signalling, location.href.replace(/^http/, "ws")));
    this.socket = socket;
    socket.onmessage = (message) => void this.hear(JSON.parse(String(message.data)) as Heard);
    socket.onclose = () => {
      if (this.socket === socket) this.lost();
    };
  }

  /** Leave for good and give camera and microphone back. */
  leave(): void {
    this.left = true;
    window.clearTimeout(this.timer);
    cancelAnimationFrame(this.frame);
    this.socket?.close();
    this.hangUp();
    giveBack(this.own.value);
    this.own.value = null;
    this.line.value = "closed";
  }

  /** Show everybody this; a burst of scrolling costs one message a frame. */
  show(state: ViewerState): void {
    this.pending = state;
    this.soon();
  }

  /** Point for everybody. */
  point(pointer: ViewerPointer): void {
    this.pointed = pointer;
    this.soon();
  }

  switch(kind: "audio" | "video", on: boolean): void {
    setEnabled(this.own.value, kind, on);
    (kind === "audio" ? this.microphone : this.camera).value = on;
    this.sayMedia();
  }

  private lost(): void {
    this.hangUp();
    if (this.left || this.line.value === "closed") return;
    this.line.value = "reconnecting";
    this.timer = window.setTimeout(() => {
      this.sit().catch(() => {
        if (!this.left) this.lost();
      });
    }, backoff(this.attempt++, Math.random()));
  }

  private hangUp(): void {
    this.sending?.close();
    this.sending = null;
    for (const connection of this.receiving.values()) connection.close();
    this.receiving.clear();
    this.streams.clear();
    this.seats.clear();
  }

  private async hear(message: Heard): Promise<void> {
    switch (message.type) {
      case "welcome":
        this.you.value = message.you;
        this.attempt = 0;
        this.line.value = "connected";
        for (const seat of message.participants) this.take(seat);
        if (message.view) this.onView(message.view);
        return this.publish();
      case "came":
        return this.take(message.participant);
      case "gone":
        return this.drop(message.id);
      case "publishing":
        this.change(message.id, { publishing: true });
        return this.watch(message.id);
      case "media":
        return this.change(message.id, { audio: message.audio, video: message.video });
      case "published":
        return this.sending?.setRemoteDescription({ type: "answer", sdp: message.sdp });
      case "watching":
        return this.receiving.get(message.who)?.setRemoteDescription({ type: "answer", sdp: message.sdp });
      case "view":
        return this.onView(message);
      case "point":
        return this.onPoint(message.by, message.pointer);
      case "closed":
        this.line.value = "closed";
        this.socket?.close();
        return;
      case "refused":
        // Somebody left while their picture was asked for: their "gone" follows.
        console.warn("round:", message.sentence);
    }
  }

  private take(seat: Seat): void {
    this.seats.set(seat.id, seat);
    if (seat.publishing) void this.watch(seat.id);
  }

  private change(id: string, what: Partial<Seat>): void {
    const seat = this.seats.get(id);
    if (seat) this.seats.set(id, { ...seat, ...what });
  }

  private drop(id: string): void {
    this.seats.delete(id);
    this.streams.delete(id);
    this.receiving.get(id)?.close();
    this.receiving.delete(id);
  }

  private async publish(): Promise<void> {
    const stream = this.own.value;
    if (!stream) return;
    this.sending?.close();
    const { connection, sdp } = await offerToSend(stream, this.iceServers);
    this.sending = connection;
    connection.onconnectionstatechange = () => {
      if (connection === this.sending && connection.connectionState === "failed") void this.publish();
    };
    this.say({ type: "publish", sdp });
    this.sayMedia();
  }

  private async watch(id: string): Promise<void> {
    this.receiving.get(id)?.close();
    const { connection, sdp } = await offerToReceive(this.iceServers, (stream) => this.streams.set(id, stream));
    if (!this.seats.has(id)) return connection.close();
    this.receiving.set(id, connection);
    connection.onconnectionstatechange = () => {
      if (connection === this.receiving.get(id) && connection.connectionState === "failed") void this.watch(id);
    };
    this.say({ type: "watch", who: id, sdp });
  }

  private sayMedia(): void {
    const stream = this.own.value;
    this.say({ type: "media", audio: this.microphone.value && has(stream, "audio"), video: this.camera.value && has(stream, "video") });
  }

  private soon(): void {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      if (this.pending) this.say({ type: "view", state: this.pending });
      if (this.pointed) this.say({ type: "point", pointer: this.pointed });
      this.pending = this.pointed = null;
    });
  }

  private say(message: Said): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }
}
