/** Chromium does not lay out placeholders again when a slice of their font arrives: an imperceptible change makes it. */
let nudged = false;

document.fonts.addEventListener("loadingdone", () => {
  nudged = !nudged;
  document.documentElement.style.setProperty("--tm-placeholder-nudge", nudged ? "0.01px" : "0");
});
