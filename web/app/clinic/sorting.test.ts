// @vitest-environment node
// jsdom's File cannot be read; Node's can.
import { describe, expect, it } from "vitest";
import { sorted, type Picked } from "@/clinic/sorting";

const picked = (path: string, content: BlobPart = "x"): Picked => ({ path, file: new File([content], path) });
const part10 = (): Uint8Array<ArrayBuffer> => {
  const bytes = new Uint8Array(140);
  bytes.set(new TextEncoder().encode("DICM"), 128);
  return bytes;
};

describe("sorting what was dropped", () => {
  it("knows a DICOM file by its content, whatever its name", async () => {
    const [parcel] = await sorted([picked("study/photo.jpg", part10())]);
    expect(parcel?.kind).toBe("dicom");
  });

  it("sends a WFDB header and its signal as one recording", async () => {
    const parcels = await sorted([picked("a/1.dat"), picked("a/1.hea"), picked("b/1.hea")]);
    expect(parcels.map(({ kind, files }) => [kind, files.length])).toEqual([
      ["recording", 2],
      ["refused", 1],
    ]);
  });

  it("sends the segments a WFDB header names with it, and no file twice", async () => {
    const parcels = await sorted([
      picked("a/long.hea", "long/2 1 500 8\nlong_1 4\n~ 4\n"),
      picked("a/long_1.hea", "long_1 1 500 4\nwave.xyz 16 200 16 0 0 0 0 II\n"),
      picked("a/wave.xyz"),
      picked("b/wave.xyz.ecg"),
    ]);
    expect(parcels.map(({ kind, name, files }) => [kind, name, files.length])).toEqual([
      ["recording", "long.hea", 3],
      ["recording", "wave.xyz.ecg", 1],
    ]);
  });

  it("knows a MATLAB 5 recording from a signal file that lost its header", async () => {
    const parcels = await sorted([picked("A1.mat", "MATLAB 5.0 MAT-file"), picked("A2.mat", "something else")]);
    expect(parcels.map(({ kind }) => kind)).toEqual(["recording", "refused"]);
  });

  it("refuses what is empty, an index, or of no known kind, each for its own reason", async () => {
    const parcels = await sorted([picked("a.dcm", ""), picked("DICOMDIR", part10()), picked("letter.docx"), picked("x.dat")]);
    expect(parcels.map((parcel) => parcel.kind === "refused" && parcel.why)).toEqual(["empty", "index", "unknown", "lonely"]);
  });

  it("takes files without a suffix for DICOM and leaves hidden ones alone", async () => {
    const parcels = await sorted([picked("CD/IM000001"), picked("CD/.DS_Store")]);
    expect(parcels.map(({ kind, name }) => [kind, name])).toEqual([["dicom", "IM000001"]]);
  });
});
