/** How far a study is that two read: which of its readings are signed, which is awaited, and by whom. */
import type { Readings, Task } from "@/api/model";
import { isHeld } from "@/ui/state";

const STAGES = ["first", "second", "comparison"] as const;

export interface Reach {
  stage: (typeof STAGES)[number] | "arbitration";
  state: "done" | "held" | "waiting" | "due";
  /** Who did it or is at it; empty where that is nobody, or must not be known yet. */
  name: string;
}

/** The stages of *task* in their order; a third reads only where the two differ in what matters. */
export function courseOf(task: Pick<Task, "stage" | "status" | "owner">, { items, comparison }: Pick<Readings, "items" | "comparison">): Reach[] {
  const stages: Reach["stage"][] = task.stage === "arbitration" ? [...STAGES, "arbitration"] : [...STAGES];
  const present = stages.findIndex((stage) => stage === task.stage);
  const signer = (stage: Reach["stage"]): string => items.find((one) => one.stage === stage)?.reader.name ?? "";
  return stages.map((stage, at) => {
    if (at < present) return { stage, state: "done", name: stage === "comparison" ? (comparison?.by.name ?? "") : signer(stage) };
    if (at > present) return { stage, state: "due", name: "" };
    const owner = task.owner?.name ?? "";
    if (task.status === "completed") return { stage, state: "done", name: owner };
    return { stage, state: isHeld(task) ? "held" : "waiting", name: owner };
  });
}
