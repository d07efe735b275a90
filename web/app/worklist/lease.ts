/** Keeps one's claims while the reading room is open: they end 90 s after the last renewal. */
import { onScopeDispose } from "vue";
import { live } from "@/api/live";
import { renew } from "@/api/operations";
import { Problem } from "@/api/problem";

const EVERY_MS = 30_000;

/** Renew now and then while *holds* says there is something to renew; at once when the connection or the person comes back. */
export function useLease(holds: () => boolean): void {
  async function again(): Promise<void> {
    if (!holds()) return;
    try {
      await renew();
    } catch (error) {
      // The line is down, or the session has ended: both have their own signs on the page.
      if (!(error instanceof Problem)) throw error;
    }
  }
  const seen = (): void => {
    if (document.visibilityState === "visible") void again();
  };
  const timer = window.setInterval(() => void again(), EVERY_MS);
  const stop = live.onResumed(() => void again());
  document.addEventListener("visibilitychange", seen);
  onScopeDispose(() => {
    window.clearInterval(timer);
    document.removeEventListener("visibilitychange", seen);
    stop();
  });
}
