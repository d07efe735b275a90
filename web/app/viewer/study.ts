/** Which series of a study the stack viewer can show, and how many pictures each has. */

/** The part of the API's study tree that the viewer reads. */
export interface StudySeries {
  readonly series_instance_uid: string;
  readonly modality: string;
  readonly number: number | null;
  readonly description: string;
  readonly instances: readonly { readonly kind: string; readonly frames: number }[];
}

/** Series with at least one image, in the order of their numbers. */
export function imageSeries(all: readonly StudySeries[]): StudySeries[] {
  return all
    .filter((one) => one.instances.some((instance) => instance.kind === "image"))
    .sort((a, b) => (a.number ?? Infinity) - (b.number ?? Infinity) || a.series_instance_uid.localeCompare(b.series_instance_uid));
}

export function imageCount(series: StudySeries): number {
  return series.instances.reduce((sum, instance) => sum + (instance.kind === "image" ? Math.max(1, instance.frames) : 0), 0);
}
