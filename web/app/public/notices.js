/* What the browser shows of an open page's news outlives the page's being in front: a click on it brings the page back. */
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(
    self.clients.matchAll({ type: "window", includeUncontrolled: true }).then((pages) => {
      const page = pages.find(({ url }) => new URL(url).pathname.startsWith(event.notification.data)) ?? pages[0];
      return page ? page.focus() : self.clients.openWindow(event.notification.data);
    }),
  );
});
