/** The series that were opened, so that going back to one is instant; one memory budget for all. */
import { text, TAG, type DataSet } from "./attributes";
import { fetchJson, FrameUnavailable } from "./fetching";
import { seriesOf, type Series } from "./series";
import { FrameSource, loadFrame } from "./source";

const PARALLEL = 4;
/** Decoded pixels kept in all: a phone's tab dies at a few hundred megabytes, a desktop's does not. */
const BUDGET = (navigator.maxTouchPoints > 0 && Math.min(screen.width, screen.height) < 700 ? 160 : 640) * 2 ** 20;

export class SeriesStore {
  /** Most recently used last. */
  readonly #sources = new Map<string, Promise<FrameSource>>();
  readonly #ready = new Map<string, FrameSource>();

  constructor(readonly studyInstanceUid: string) {}

  /** The frames of a series; its metadata is fetched once. Throws FrameUnavailable. */
  open(seriesInstanceUid: string): Promise<FrameSource> {
    const known = this.#sources.get(seriesInstanceUid);
    const source = known ?? this.#load(seriesInstanceUid);
    this.#sources.delete(seriesInstanceUid);
    this.#sources.set(seriesInstanceUid, source);
    this.#tidy();
    return source;
  }

  /** Fetch a series anew the next time: it has grown. */
  forget(seriesInstanceUid: string): void {
    this.#ready.get(seriesInstanceUid)?.pause();
    this.#sources.delete(seriesInstanceUid);
    this.#ready.delete(seriesInstanceUid);
  }

  /** Stop all fetching and let go of everything. */
  close(): void {
    for (const source of this.#ready.values()) {
      source.pause();
      source.shrink(0);
    }
    this.#sources.clear();
    this.#ready.clear();
  }

  async #load(uid: string): Promise<FrameSource> {
    try {
      const series = await fetchSeries(this.studyInstanceUid, uid);
      const source = new FrameSource(series, { parallel: PARALLEL, budget: BUDGET, load: loadFrame });
      this.#ready.set(uid, source);
      source.aim(0);
      return source;
    } catch (error) {
      this.#sources.delete(uid);
      throw error;
    }
  }

  /** Series that are not the last opened give way when the whole is too much, the longest unused first. */
  #tidy(): void {
    let total = [...this.#ready.values()].reduce((sum, source) => sum + source.bytes, 0);
    for (const uid of [...this.#sources.keys()].slice(0, -1)) {
      const source = this.#ready.get(uid);
      if (total <= BUDGET || source === undefined) continue;
      total -= source.bytes;
      source.shrink(Math.max(0, BUDGET - total));
      total += source.bytes;
    }
  }
}

async function fetchSeries(study: string, uid: string): Promise<Series> {
  const path = `/dicom-web/studies/${study}/series/${uid}/metadata`;
  const sets = ((await fetchJson(path, "application/dicom+json")) ?? []) as DataSet[];
  const series = seriesOf(sets.map((set) => withUids(set, study, uid)));
  if (series === null) throw new FrameUnavailable("missing", uid);
  return series;
}

/** Metadata may leave out what the address already says. */
function withUids(set: DataSet, study: string, uid: string): DataSet {
  return {
    ...set,
    [TAG.StudyInstanceUID]: { vr: "UI", Value: [text(set, TAG.StudyInstanceUID) ?? study] },
    [TAG.SeriesInstanceUID]: { vr: "UI", Value: [text(set, TAG.SeriesInstanceUID) ?? uid] },
  };
}
