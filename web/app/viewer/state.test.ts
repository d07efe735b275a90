import { describe, expect, it } from "vitest";
import { readViewerPointer, readViewerState, sameView, type ViewerState } from "./state";

const STATE: ViewerState = {
  study_instance_uid: "1.2", series_instance_uid: "1.2.3", sop_instance_uid: "1.2.3.4", frame: 1, window: { center: 40, width: 80 },
  zoom: 1.5, center: [256, 200], rotation: 90, flip: true, invert: false,
};

describe("viewer state", () => {
  it("survives the wire unchanged", () => {
    expect(readViewerState(JSON.parse(JSON.stringify(STATE)))).toEqual(STATE);
    expect(readViewerState({ ...STATE, window: null })?.window).toBeNull();
  });

  it("refuses what is not a state", () => {
    const wrong: unknown[] = [
      null, "1.2", [], { ...STATE, frame: 0 }, { ...STATE, zoom: NaN }, { ...STATE, rotation: 45 }, { ...STATE, center: [1] },
      { ...STATE, sop_instance_uid: "../../etc" }, { ...STATE, window: { center: 40, width: 0 } }, { ...STATE, flip: "yes" },
      { ...STATE, window: undefined },
    ];
    for (const value of wrong) expect(readViewerState(value)).toBeNull();
  });

  it("drops what it does not know", () => {
    expect(readViewerState({ ...STATE, onclick: "x" })).toEqual(STATE);
  });

  it("reads a pointer, also one that left the image", () => {
    expect(readViewerPointer({ sop_instance_uid: "1.2", frame: 2, at: [3, 4], more: 1 })).toEqual({ sop_instance_uid: "1.2", frame: 2, at: [3, 4] });
    expect(readViewerPointer({ sop_instance_uid: "1.2", frame: 2, at: null })?.at).toBeNull();
    expect(readViewerPointer({ sop_instance_uid: "1.2", frame: 2, at: ["3", 4] })).toBeNull();
  });

  it("knows the same look again", () => {
    expect(sameView(STATE, { ...STATE, zoom: 1.50001 })).toBe(true);
    expect(sameView(STATE, { ...STATE, window: { center: 41, width: 80 } })).toBe(false);
    expect(sameView(STATE, { ...STATE, frame: 2 })).toBe(false);
  });
});
