/**
 * News on the desktop while our page lies behind another: the Notification API, shown through a service worker.
 *
 * It needs a secure page (https, or the machine itself) and the person's leave. Web Push would reach a closed browser, but
 * only through a service of the browser's maker on the internet: on a private network the ladder's channels do that.
 */
import { readonly, ref } from "vue";

const WORKER = "/notices.js";
const able = window.isSecureContext && "Notification" in window && "serviceWorker" in navigator;
const state = ref<NotificationPermission>(able ? Notification.permission : "denied");

/** "default" until the person has been asked; "denied" too where the page may not ask. */
export const allowed = readonly(state);

/** Ask for leave; only a click may. */
export async function askLeave(): Promise<void> {
  state.value = await Notification.requestPermission();
  if (state.value === "granted") await navigator.serviceWorker.register(WORKER);
}

if (state.value === "granted") void navigator.serviceWorker.register(WORKER);

/**
 * Show a notice while nobody looks at this page; one of the same *tag* takes its place. It may stand on a locked screen: no
 * patient's name in it. *path* is our page that a click brings to the front.
 */
export async function notice(title: string, { tag, path, critical = false }: { tag: string; path: string; critical?: boolean }): Promise<void> {
  if (state.value !== "granted" || (document.visibilityState === "visible" && document.hasFocus())) return;
  const worker = await navigator.serviceWorker.ready;
  await worker.showNotification(title, { tag, data: path, requireInteraction: critical, silent: true });
}
