/** What a task's state means to whoever looks at it. */
import type { Task } from "@/api/model";

/** Somebody still waits for an answer. */
export const isOpen = ({ status }: Pick<Task, "status">): boolean => ["requested", "accepted", "in-progress", "on-hold"].includes(status);

/** Somebody holds it and may write its report. */
export const isHeld = ({ status }: Pick<Task, "status">): boolean => ["accepted", "in-progress", "on-hold"].includes(status);
