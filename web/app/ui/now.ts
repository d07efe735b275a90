/** One ticking second for every running clock on the page. */
import { readonly, ref, type Ref } from "vue";

const tick = ref(Date.now());
window.setInterval(() => (tick.value = Date.now()), 1000);
// Background tabs are throttled: be right the moment somebody looks again.
document.addEventListener("visibilitychange", () => (tick.value = Date.now()));

/** The machine's time in ms, once a second. */
export const now: Readonly<Ref<number>> = readonly(tick);
