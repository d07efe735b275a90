"""A few figures for Prometheus, counted here and printed in its text format; never a name, an ID or a UID."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping


class Metrics:
    """Counters of this process; safe from every thread."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()

    def count(self, name: str, by: float = 1, **labels: str) -> None:
        """Add *by* to the counter *name* of these labels."""
        with self._lock:
            self._counts[name, tuple(sorted(labels.items()))] += by  # type: ignore[assignment]  # seconds are counted too

    def lines(self) -> Iterable[str]:
        """Yield every counter in Prometheus' text format, sorted."""
        with self._lock:
            counts = sorted(self._counts.items())
        seen = ""
        for (name, labels), value in counts:
            if name != seen:
                yield f"# TYPE {name} counter"
                seen = name
            yield line(name, dict(labels), value)


def line(name: str, labels: Mapping[str, str], value: float) -> str:
    """Write one sample."""
    inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"{name}{{{inside}}} {value:g}" if inside else f"{name} {value:g}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
