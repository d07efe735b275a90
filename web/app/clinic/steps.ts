/** Where a study stands on its way to an answer, in the six steps the clinic sees. */
import type { Report, Study } from "@/api/model";
import { isHeld, isOpen } from "@/ui/state";

export const STEPS = ["arrived", "queued", "reading", "signed", "delivered", "read"] as const;
export type Step = (typeof STEPS)[number];

/** The step a study has reached; the report's own times count most, for they are what was proved. */
export function stepOf(study: Study, report: Report | undefined): Step {
  if (report?.read_at) return "read";
  if (report?.delivered_at) return "delivered";
  if (report || study.report?.signed_at) return "signed";
  if (study.task && isHeld(study.task)) return "reading";
  if (study.task?.status === "requested") return "queued";
  return "arrived";
}

/** Whether the study lies here whole and nobody was asked, or nobody took it. */
export function isUnasked(study: Study): boolean {
  if (study.report || !study.settled_at) return false;
  return study.task === null || study.task.status === "cancelled";
}

/** Whether the clinic still waits for an answer against a deadline. */
export function isWaiting(study: Study): boolean {
  return study.task !== null && isOpen(study.task);
}
