/** Which series of a study the stack viewer can show, and how many pictures each has. */
import type { Series } from "@/api/model";

/** Series with at least one image, in the order of their numbers. */
export function imageSeries(all: readonly Series[]): Series[] {
  return all
    .filter((one) => one.instances.some((instance) => instance.kind === "image"))
    .sort((a, b) => (a.number ?? Infinity) - (b.number ?? Infinity) || a.series_instance_uid.localeCompare(b.series_instance_uid));
}

export function imageCount(series: Series): number {
  return series.instances.reduce((sum, instance) => sum + (instance.kind === "image" ? Math.max(1, instance.frames) : 0), 0);
}
