/** Where a study stands on its way to an answer, in the six steps the clinic sees. */
import type { Report, Study, Task } from "@/api/model";
import { isHeld, isOpen } from "@/ui/state";

export const STEPS = ["arrived", "queued", "reading", "signed", "delivered", "read"] as const;
export type Step = (typeof STEPS)[number];

/** The report that answers what was asked last; none while a newer question about the study waits. */
export function answerOf(study: Study, report: Report | undefined): Report | undefined {
  return !study.task || study.task.id === report?.task_id ? report : undefined;
}

/** The step a study has reached; the report's own times count most, for they are what was proved. */
export function stepOf(study: Study, report: Report | undefined): Step {
  const answer = answerOf(study, report);
  if (answer?.read_at) return "read";
  if (answer?.delivered_at) return "delivered";
  if (answer || (study.report?.signed_at && !isWaiting(study))) return "signed";
  if (study.task && (isHeld(study.task) || isBetweenReadings(study.task))) return "reading";
  if (study.task?.status === "requested") return "queued";
  return "arrived";
}

/** Whether one has read it and another has still to: it waits, but no longer for its first reader. */
export function isBetweenReadings({ status, stage }: Pick<Task, "status" | "stage">): boolean {
  return status === "requested" && stage !== "first";
}

/** Whether the clinic has still to repeat a critical value; opening the report is not that. */
export function owesReadBack(report: Report | undefined): boolean {
  return report !== undefined && report.critical && !report.read_back && !report.amended_by && report.status !== "cancelled";
}

/** Whether the study lies here whole and nobody was asked, nobody took it, or its report does not hold any more. */
export function isUnasked(study: Study): boolean {
  if (!study.settled_at) return false;
  if (study.report) return study.report.status === "cancelled" && !isWaiting(study);
  return study.task === null || study.task.status === "cancelled";
}

/** Whether the clinic still waits for an answer against a deadline. */
export function isWaiting(study: Study): boolean {
  return study.task !== null && isOpen(study.task);
}
