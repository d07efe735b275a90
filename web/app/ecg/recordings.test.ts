import { expect, test } from "vitest";
import type { Instance, Series } from "@/api/model";
import { recordingsOf } from "./recordings";

const ecg = (uid: string, replaced_by: string | null = null): Instance =>
  ({ sop_instance_uid: uid, sop_class_uid: "", number: 1, rows: null, columns: null, frames: 1, kind: "ecg", replaced_by, kept_because: null });
const series = (...instances: Instance[]): Series => ({ series_instance_uid: "1", modality: "ECG", number: 1, description: "", instances });

test("a repeated recording comes after the one that replaced it, and images are none", () => {
  const found = recordingsOf([series(ecg("bad", "good"), { ...ecg("picture"), kind: "image" }), series(ecg("good"))]);
  expect(found.map(({ sop_instance_uid }) => sop_instance_uid)).toEqual(["good", "bad"]);
});
