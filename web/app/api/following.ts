/** A value that is fetched now, and again whenever the log brings news of it. */
import { onScopeDispose, ref, shallowRef, type Ref, type ShallowRef } from "vue";
import { live } from "@/api/live";
import { Problem } from "@/api/problem";

export interface Following<T> {
  readonly value: ShallowRef<T | null>;
  readonly problem: ShallowRef<Problem | null>;
  readonly loading: Ref<boolean>;
  refetch(): Promise<void>;
}

/** A burst of news costs one fetch: at once for the first, then at most this often (ms). */
const AT_MOST_EVERY_MS = 700;

/** Fetch with *fetcher* now and after every event whose type *concerns*; keeps the old value while fetching, and on failure. */
export function following<T>(fetcher: () => Promise<T>, concerns: (type: string, data: Record<string, unknown>) => boolean): Following<T> {
  const value = shallowRef<T | null>(null);
  const problem = shallowRef<Problem | null>(null);
  const loading = ref(true);
  let asked = 0;
  let last = 0;
  let timer: number | undefined;

  async function refetch(): Promise<void> {
    const mine = ++asked;
    last = Date.now();
    loading.value = true;
    try {
      const answer = await fetcher();
      // An answer overtaken by a later question would put old rows back on the screen.
      if (mine === asked) [value.value, problem.value] = [answer, null];
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (mine === asked) problem.value = error;
    } finally {
      if (mine === asked) loading.value = false;
    }
  }

  function soon(): void {
    if (timer !== undefined) return;
    const wait = Math.max(0, last + AT_MOST_EVERY_MS - Date.now());
    timer = window.setTimeout(() => {
      timer = undefined;
      void refetch();
    }, wait);
  }

  const stopListening = live.listen((event) => {
    if (concerns(event.type, event.data)) soon();
  });
  const stopResuming = live.onResumed(soon);
  onScopeDispose(() => {
    stopListening();
    stopResuming();
    window.clearTimeout(timer);
    asked++;
  });
  void refetch();
  return { value, problem, loading, refetch };
}
