/** What the round's socket carries; the server's side is described in web/rtc/signalling.py. */
import type { ViewerPointer, ViewerState } from "@/viewer/state";

export interface Seat {
  readonly id: string;
  readonly name: string;
  readonly publishing: boolean;
  readonly audio: boolean;
  readonly video: boolean;
}

export interface SharedView {
  readonly by: string;
  readonly revision: number;
  readonly state: ViewerState;
}

export type Heard =
  | { readonly type: "welcome"; readonly you: string; readonly participants: readonly Seat[]; readonly view: SharedView | null }
  | { readonly type: "came"; readonly participant: Seat }
  | { readonly type: "gone" | "publishing"; readonly id: string }
  | { readonly type: "media"; readonly id: string; readonly audio: boolean; readonly video: boolean }
  | { readonly type: "published"; readonly sdp: string }
  | { readonly type: "watching"; readonly who: string; readonly sdp: string }
  | ({ readonly type: "view" } & SharedView)
  | { readonly type: "point"; readonly by: string; readonly pointer: ViewerPointer }
  | { readonly type: "refused"; readonly sentence: string }
  | { readonly type: "closed" };

export type Said =
  | { readonly type: "publish"; readonly sdp: string }
  | { readonly type: "watch"; readonly who: string; readonly sdp: string }
  | { readonly type: "view"; readonly state: ViewerState }
  | { readonly type: "point"; readonly pointer: ViewerPointer }
  | { readonly type: "media"; readonly audio: boolean; readonly video: boolean };
