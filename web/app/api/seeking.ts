/** A list that follows what is typed into a search box: the server is asked once the fingers rest. */
import { onScopeDispose, shallowRef, watch, type Ref, type ShallowRef } from "vue";
import { Problem } from "@/api/problem";

const REST_MS = 250;

export interface Sought<T> {
  /** What was found; null while nothing is typed, or nothing has been answered yet. */
  readonly found: ShallowRef<T | null>;
  readonly problem: ShallowRef<Problem | null>;
  ask(): Promise<void>;
}

/** Ask *fetcher* for what stands in *text* whenever it changes; an answer overtaken by a later question is dropped. */
export function seeking<T>(text: Ref<string>, fetcher: (text: string) => Promise<T>): Sought<T> {
  const found = shallowRef<T | null>(null);
  const problem = shallowRef<Problem | null>(null);
  let asked = 0;
  let timer: number | undefined;

  async function ask(): Promise<void> {
    const mine = ++asked;
    const wanted = text.value.trim();
    try {
      const answer = wanted ? await fetcher(wanted) : null;
      if (mine === asked) [found.value, problem.value] = [answer, null];
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (mine === asked) problem.value = error;
    }
  }

  watch(text, () => {
    window.clearTimeout(timer);
    timer = window.setTimeout(() => void ask(), REST_MS);
  });
  onScopeDispose(() => {
    window.clearTimeout(timer);
    asked++;
  });
  return { found, problem, ask };
}
