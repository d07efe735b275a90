import { describe, expect, it } from "vitest";
import { personName, TAG, type DataSet } from "./attributes";
import { seriesOf } from "./series";
import { spacingFor } from "./ultrasound";
import { imagePoint } from "../math/spaces";

function anInstance(extra: Record<string, unknown[]> = {}): DataSet {
  const values: Record<string, unknown[]> = {
    [TAG.StudyInstanceUID]: ["1.2"], [TAG.SeriesInstanceUID]: ["1.2.3"], [TAG.SOPInstanceUID]: ["1.2.3.4"], [TAG.Modality]: ["CT"],
    [TAG.Rows]: [4], [TAG.Columns]: [6], [TAG.BitsAllocated]: [16], [TAG.BitsStored]: [12], [TAG.PixelRepresentation]: [1],
    [TAG.SamplesPerPixel]: [1], [TAG.Photometric]: ["MONOCHROME2"], ...extra,
  };
  return Object.fromEntries(Object.entries(values).map(([tag, Value]) => [tag, { vr: "UN", Value }]));
}

function aSlice(number: number, z: number, orientation = [1, 0, 0, 0, 1, 0]): DataSet {
  return anInstance({
    [TAG.SOPInstanceUID]: [`1.${number}`], [TAG.InstanceNumber]: [String(number)],
    [TAG.ImagePosition]: [0, 0, z], [TAG.ImageOrientation]: orientation,
  });
}

const order = (sets: DataSet[]): number[] => seriesOf(sets)!.slices.map((slice) => slice.instanceNumber);

describe("series", () => {
  it("sorts slices by their place in the patient, not by the order they came", () => {
    expect(order([aSlice(3, 30), aSlice(1, 10), aSlice(2, 20)])).toEqual([1, 2, 3]);
  });

  it("keeps the direction of the instance numbers", () => {
    expect(order([aSlice(1, 30), aSlice(2, 20), aSlice(3, 10)])).toEqual([1, 2, 3]);
  });

  it("trusts places more than numbers that jump", () => {
    expect(order([aSlice(1, 10), aSlice(2, 20), aSlice(9, 30), aSlice(4, 40), aSlice(5, 50)])).toEqual([1, 2, 9, 4, 5]);
  });

  it("falls back to instance numbers when planes differ or places repeat", () => {
    expect(order([aSlice(2, 0), aSlice(1, 99, [0, 1, 0, 0, 0, -1])])).toEqual([1, 2]);
    expect(order([aSlice(4, 20), aSlice(3, 10), aSlice(2, 20), aSlice(1, 10)])).toEqual([1, 2, 3, 4]);
  });

  it("spreads a multi-frame instance into slices with their own window and place", () => {
    const group = (z: number, width: number) => ({
      [TAG.PlanePosition]: { Value: [{ [TAG.ImagePosition]: { Value: [0, 0, z] } }] },
      [TAG.FrameVoiLut]: { Value: [{ [TAG.WindowCenter]: { Value: [40] }, [TAG.WindowWidth]: { Value: [width] } }] },
    });
    const shared = {
      [TAG.PlaneOrientation]: { Value: [{ [TAG.ImageOrientation]: { Value: [1, 0, 0, 0, 1, 0] } }] },
      [TAG.PixelMeasures]: { Value: [{ [TAG.PixelSpacing]: { Value: [0.8, 0.4] } }] },
    };
    const series = seriesOf([anInstance({
      [TAG.NumberOfFrames]: ["3"], [TAG.SharedGroups]: [shared], [TAG.PerFrameGroups]: [group(0, 80), group(10, 90), group(5, 70)],
    })])!;
    expect(series.slices.map((slice) => slice.frame)).toEqual([1, 3, 2]);
    expect(series.slices.map((slice) => slice.windows[0].width)).toEqual([80, 70, 90]);
    expect(series.slices[1].path).toBe("/dicom-web/studies/1.2/series/1.2.3/instances/1.2.3.4/frames/3");
    expect(series.slices[0].aspect).toBe(2);
    expect(series.slices[0].unit).toBe("HU");
  });

  it("leaves out instances without pixels", () => {
    const report = anInstance({ [TAG.Rows]: [], [TAG.Columns]: [] });
    expect(seriesOf([report])!.slices).toEqual([]);
    expect(seriesOf([])).toBeNull();
  });

  it("takes the frame rate from the file", () => {
    expect(seriesOf([anInstance({ [TAG.FrameTime]: ["40"] })])!.framesPerSecond).toBe(25);
    expect(seriesOf([anInstance({ [TAG.CineRate]: [30] })])!.framesPerSecond).toBe(30);
    expect(seriesOf([anInstance()])!.framesPerSecond).toBeNull();
  });

  it("says when a distance is measured at the detector", () => {
    expect(seriesOf([anInstance({ [TAG.ImagerPixelSpacing]: [0.2, 0.2] })])!.slices[0].spacingOrigin).toBe("detector");
  });

  it("measures ultrasound inside its region only", () => {
    const region = Object.fromEntries(Object.entries({
      [TAG.RegionSpatialFormat]: 1, [TAG.PhysicalUnitsX]: 3, [TAG.PhysicalUnitsY]: 3, [TAG.PhysicalDeltaX]: 0.05,
      [TAG.PhysicalDeltaY]: 0.05, [TAG.RegionMinX]: 1, [TAG.RegionMinY]: 1, [TAG.RegionMaxX]: 4, [TAG.RegionMaxY]: 3,
    }).map(([tag, value]) => [tag, { Value: [value] }]));
    const slice = seriesOf([anInstance({ [TAG.UltrasoundRegions]: [region] })])!.slices[0];
    expect(spacingFor(slice, [imagePoint(2, 2), imagePoint(3, 3)])).toEqual({ column: 0.5, row: 0.5 });
    expect(spacingFor(slice, [imagePoint(2, 2), imagePoint(6, 3)])).toBeNull();
  });

  it("sends to the server what it cannot paint itself", () => {
    expect(seriesOf([anInstance({ [TAG.BitsAllocated]: [32] })])!.slices[0].renderedOnly).toBe(true);
    expect(seriesOf([anInstance({ [TAG.Photometric]: ["PALETTE COLOR"] })])!.slices[0].renderedOnly).toBe(true);
    expect(seriesOf([anInstance()])!.slices[0].renderedOnly).toBe(false);
  });

  it("prefers the ideographic name", () => {
    const named = { [TAG.PatientName]: { vr: "PN", Value: [{ Alphabetic: "WANG^FANG", Ideographic: "王^芳" }] } };
    expect(personName(named, TAG.PatientName)).toBe("王 芳");
    expect(personName({ [TAG.PatientName]: { Value: [{ Alphabetic: "WANG^FANG" }] } }, TAG.PatientName)).toBe("WANG FANG");
    expect(personName({}, TAG.PatientName)).toBeNull();
  });
});
