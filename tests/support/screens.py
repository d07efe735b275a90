"""What is asked of a page in a browser."""

from __future__ import annotations

#: What reaches beyond the screen's right edge and cannot be scrolled to within a part of its own.
CUT_OFF = """() => [...document.querySelectorAll('main *')].filter((element) => {
  if (element.getBoundingClientRect().right <= innerWidth + 1) return false;
  for (let at = element.parentElement; at && at.tagName !== 'MAIN'; at = at.parentElement)
    if (getComputedStyle(at).overflowX !== 'visible') return false;
  return true;
}).map((element) => element.outerHTML.slice(0, 120))"""
