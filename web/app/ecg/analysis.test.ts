import { describe, expect, it } from "vitest";
import { bySeverity, figures, reasonFor, stSegments, type Analysis, type Severity } from "./analysis";

const ANALYSIS = {
  measurements: { heart_rate_bpm: 72, qt_interval_ms: 388, t_axis_deg: null, qtc_ms: { bazett: 425, fridericia: 412 }, st_j_mv: { I: 0.01, V1: null } },
  warnings: ["Leads set aside: V1 (flat).", "t_axis_deg is null: no T wave was found."],
} as unknown as Analysis;

describe("ECG figures", () => {
  it("show the QTc of the chosen formula after QT", () => {
    const rows = figures(ANALYSIS, "fridericia");
    expect(rows.map((row) => row.name).slice(3, 6)).toEqual(["qrs", "qt", "qtc"]);
    expect(rows[5].value).toBe(412);
    expect(figures(ANALYSIS, "hodges")[5].value).toBeNull();
  });

  it("say why a figure is missing", () => {
    expect(figures(ANALYSIS, "bazett").find((row) => row.name === "tAxis")).toMatchObject({ value: null, reason: "no T wave was found." });
    expect(reasonFor(ANALYSIS, "p_duration_ms")).toBeNull();
  });

  it("leave out leads without an ST level", () => {
    expect(stSegments(ANALYSIS)).toEqual([{ lead: "I", value: 0.01 }]);
  });

  it("put the most severe statement first", () => {
    const of = (severity: Severity) => ({ code: severity, text: { zh: "", en: "" }, severity });
    expect(bySeverity([of("normal"), of("critical"), of("borderline")]).map((one) => one.severity)).toEqual(["critical", "borderline", "normal"]);
  });
});
