import { expect, test } from "vitest";
import { isSignificant, isWhole, SCORES } from "@/review/scores";

test("a difference that is likely to matter is 2b or 3b", () => {
  expect(SCORES.filter(isSignificant)).toEqual(["2b", "3b"]);
  expect(isSignificant(null)).toBe(false);
});

test("only agreement needs no words", () => {
  expect(SCORES.filter((score) => isWhole(score, " "))).toEqual(["1"]);
  expect(isWhole("3a", "漏诊")).toBe(true);
  expect(isWhole(null, "漏诊")).toBe(false);
});
