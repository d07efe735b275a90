/** RADPEER's scores (ACR, as revised in 2016), the mildest first. */
import type { RadpeerScore } from "@/api/model";

export const SCORES: readonly RadpeerScore[] = ["1", "2a", "2b", "3a", "3b"];

/** Whether the difference is likely to matter to the patient. */
export const isSignificant = (score: RadpeerScore | null): boolean => score === "2b" || score === "3b";

/** Whether *score* may be given with these words: a difference needs some. */
export const isWhole = (score: RadpeerScore | null, comment: string): boolean => score === "1" || (score !== null && comment.trim() !== "");
