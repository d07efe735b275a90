/** What becomes of a signed report, while it is written. */
import type { Replacing, Withdrawal } from "@/api/model";

export interface Change {
  readonly way: Replacing;
  /** Whether its text is another than the signed one. */
  readonly differs: boolean;
  readonly reason: string;
  readonly addendum: string;
  readonly cause: Withdrawal | "";
}

export type Lack = "unchanged" | "no_addendum" | "no_cause" | `no_reason.${Exclude<Replacing, "appended">}`;

/** The first thing that keeps a change from being signed; null when it is whole. */
export function lackOf({ way, differs, reason, addendum, cause }: Change): Lack | null {
  if (way === "appended") return addendum.trim() ? null : "no_addendum";
  if (way === "cancelled" && !cause) return "no_cause";
  if (way !== "cancelled" && !differs) return "unchanged";
  const worded = reason.trim() !== "" || (way === "cancelled" && cause !== "other");
  return worded ? null : `no_reason.${way}`;
}
