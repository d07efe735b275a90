"""Attribute matching of PS3.4 C.2.2.2, word for word the same for QIDO-RS and C-FIND.

A matching key becomes a Criterion; a Criterion is asked of a value (`matches`) or of a column (`condition`), and both
answer alike. Texts are compared without regard to case, as PS3.4 C.2.2.2.1 allows for PN and PS3.18 does not forbid.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, islice
from typing import Any, Protocol

from sqlalchemy import ColumnElement, String, and_, false, or_, true
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from telemed.kernel.errors import Invalid

_LIST = re.compile(r"[\\,]")
_ESCAPE = "!"
_LAST = "\U0010ffff"  # the last code point
_DATE = re.compile(r"\d{8}\Z")
_TIME = re.compile(r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?\Z")
_MAX_KEY = 1024
_MAX_UIDS = 2000
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}


@dataclass(frozen=True)
class Query:
    r"""What is asked for: *keys* from attribute keyword ("PatientName") to the matching key as text.

    An empty key matches everything (universal). A list of UIDs is separated by a backslash or a comma.
    A keyword that the level does not know raises Invalid. *limit* None means no limit. With *after* the rows come in the
    order of their keys, past that one: a result of any size is read page by page ("" begins), each as fast as the first.
    *fuzzy* (PS3.4 C.2.2.2.1.1) looks for names by the words of `naming`, pinyin and initials among them; *read* looks for them
    as they are written, and for those in characters by how they are read, too.
    """

    keys: Mapping[str, str] = field(default_factory=dict)
    limit: int | None = 100
    offset: int = 0
    fuzzy: bool = False
    read: bool = False
    combined: bool = False
    after: str | None = None


@dataclass(frozen=True)
class Clause:
    """A condition apart from its values: *write* makes it of them, or of blanks that are filled in later.

    Clauses of one *form* are equal, for they differ in nothing but their values: one statement serves all of them.
    Where there are *parts*, it holds where one of them does (see `apart`).
    """

    form: Hashable
    values: tuple[Any, ...] = field(default=(), compare=False)
    write: Callable[..., ColumnElement[bool]] = field(default=true, compare=False)
    parts: tuple[Clause, ...] = field(default=(), compare=False)

    def written(self) -> ColumnElement[bool]:
        """Return the condition with its values in it."""
        return self.write(*self.values)

    def ways(self, *values: Any) -> list[ColumnElement[bool]]:  # noqa: ANN401 - texts, numbers, or blanks
        """Return the conditions of which one must hold, made of *values*: each is found by its own index."""
        left = iter(values)
        return [part.write(*islice(left, len(part.values))) for part in self.parts or (self,)]


#: What every row fits, and none.
EVERYTHING, NOTHING = Clause("everything"), Clause("nothing", write=false)


def every(*clauses: Clause) -> Clause:
    """Return the clause that holds where all of *clauses* do."""
    return _joined("every", partial(and_, true()), clauses)


def either(*clauses: Clause) -> Clause:
    """Return the clause that holds where one of *clauses* does."""
    return _joined("either", partial(or_, false()), clauses)


def apart(*clauses: Clause) -> Clause:
    """Return `either` of *clauses*, where no index serves the condition of all of them, but one or another serves each."""
    return replace(either(*clauses), parts=clauses)


def _joined(form: str, join: Callable[..., ColumnElement[bool]], clauses: Sequence[Clause]) -> Clause:
    def write(*values: Any) -> ColumnElement[bool]:  # noqa: ANN401 - a text, a number, several, or a blank
        left = iter(values)
        return join(*(clause.write(*islice(left, len(clause.values))) for clause in clauses))

    return Clause((form, *clauses), tuple(chain.from_iterable(clause.values for clause in clauses)), write)


class Criterion(Protocol):
    """One matching key, understood."""

    def matches(self, value: str) -> bool:
        """Tell whether *value* matches."""
        ...

    def condition(self, column: ColumnElement[str]) -> Clause:
        """Say the same as SQL over a column that holds the value as text; the form does not name the column."""
        ...


@dataclass(frozen=True)
class Universal:
    """An empty key, or a lone asterisk: everything matches, also what has no value (C.2.2.2.3)."""

    def matches(self, value: str) -> bool:  # noqa: ARG002 - the protocol's
        """Every value matches."""
        return True

    def condition(self, column: ColumnElement[str]) -> Clause:  # noqa: ARG002 - the protocol's
        """Every row matches."""
        return EVERYTHING


@dataclass(frozen=True)
class AnyOf:
    """A single UID or a list of UIDs (C.2.2.2.2): matched exactly."""

    values: tuple[str, ...]

    def matches(self, value: str) -> bool:
        """Tell whether *value* is one of them."""
        return value in self.values

    def condition(self, column: ColumnElement[str]) -> Clause:
        """Say the same as SQL."""
        return Clause("one", self.values, column.__eq__) if len(self.values) == 1 else Clause("any", (self.values,), column.in_)


@dataclass(frozen=True)
class Wildcard:
    """A text in which ``*`` stands for any characters and ``?`` for one (C.2.2.2.4); without them a single value."""

    key: str

    def matches(self, value: str) -> bool:
        """Tell whether the whole of *value* fits."""
        runs = re.split(r"(\*+|\?)", self.key.lower())  # asterisks in a row are one: several would search without end
        parts = (".*" if run.startswith("*") else "." if run == "?" else re.escape(run) for run in runs)
        return re.fullmatch("".join(parts), value.lower(), re.DOTALL) is not None

    def condition(self, column: ColumnElement[str]) -> Clause:
        """Say the same as SQL; which letters beside ASCII have two cases is the database's opinion, on both sides."""
        if not re.search(r"[*?]", self.key):
            return Clause("text", (self.key,), lambda key: Lowered(column) == Lowered(key))
        pattern = _pattern(self.key)
        if self.key[0] in "*?":
            return Clause("like", (pattern,), lambda pattern: _like(column, pattern))
        head = re.split(r"[*?]", self.key, maxsplit=1)[0]
        begins = Clause("beginning", (head, f"{head}{_LAST}"), lambda first, last: _between(column, first, last))
        if self.key.rstrip("*") == head:
            return begins
        return every(begins, Clause("like", (pattern,), lambda pattern: _like(column, pattern)))


def _pattern(key: str) -> str:
    return re.sub(r"\*+", "%", re.sub(r"([!%_])", rf"{_ESCAPE}\1", key)).replace("?", "_")


def _like(column: ColumnElement[str], pattern: Any) -> ColumnElement[bool]:  # noqa: ANN401 - a text, or a blank
    return Lowered(column).like(Lowered(pattern), escape=_ESCAPE)


def _between(column: ColumnElement[str], first: Any, last: Any) -> ColumnElement[bool]:  # noqa: ANN401 - texts, or blanks
    return Lowered(column).between(Lowered(first), Lowered(last))  # SQLite makes the column's lower case once for both ends


class Lowered(FunctionElement[str]):
    """A text in lower case, in the order of its code points on either database, so that an index finds what begins alike."""

    type = String()
    inherit_cache = True


@compiles(Lowered)
def _as_lower(element: Lowered, compiler: SQLCompiler, **how: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own
    return f"lower({compiler.process(element.clauses, **how)})"


@compiles(Lowered, "postgresql")
def _as_lower_bytewise(element: Lowered, compiler: SQLCompiler, **how: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own
    return f'({_as_lower(element, compiler, **how)} COLLATE "C")'


@dataclass(frozen=True)
class Range:
    """A date or time, or a range of them, open at either end (C.2.2.2.5); *last* is inclusive to its own precision."""

    first: str
    last: str

    def matches(self, value: str) -> bool:
        """Tell whether *value* lies within; a value that is absent does not."""
        return value != "" and value >= self.first and (not self.last or value[: len(self.last)] <= self.last)

    def condition(self, column: ColumnElement[str]) -> Clause:
        """Say the same as SQL."""
        if not self.last:
            return Clause("since", (self.first,), lambda first: and_(column != "", column >= first))
        # Whatever goes on after the last is digits and a point, and before a letter in every collation.
        bounds = self.first, f"{self.last}z"
        return Clause("between", bounds, lambda first, past: and_(column != "", column >= first, column < past))


@dataclass(frozen=True)
class Period:
    """What a range of times adds to a range of dates where both are one period (C.2.2.2.5.4): it cuts the first and last day."""

    dates: Range
    times: Range

    def matches(self, date: str, time: str) -> bool:
        """Tell whether a moment whose *date* matches does not lie before the first or after the last time."""
        since = not self.dates.first or date > self.dates.first or Range(self.times.first, "").matches(time)
        until = not self.dates.last or date < self.dates.last or Range("", self.times.last).matches(time)
        return since and until

    def condition(self, dates: ColumnElement[str], times: ColumnElement[str]) -> Clause:
        """Say the same as SQL."""
        ends = []
        if self.dates.first:
            later = Clause("later", (self.dates.first,), lambda first: dates > first)
            ends.append(either(later, Range(self.times.first, "").condition(times)))
        if self.dates.last:
            earlier = Clause("earlier", (self.dates.last,), lambda last: dates < last)
            ends.append(either(earlier, Range("", self.times.last).condition(times)))
        return every(*ends)


def folded(text: str) -> str:
    """Return *text* as names are kept and compared: without case, full-width ASCII as plain, spaces as one."""
    return " ".join(text.translate(_FULL_WIDTH).casefold().split())


def uids(key: str) -> Criterion:
    """Understand a key of VR UI."""
    values = tuple(part.strip("\0 ") for part in _LIST.split(key) if part.strip("\0 "))
    if len(values) > _MAX_UIDS:
        raise Invalid(f"a list of more than {_MAX_UIDS} UIDs cannot be matched at once; ask in parts", code="matching-key")
    return AnyOf(values) if values else Universal()


def text(key: str) -> Criterion:
    """Understand a key of a text VR (AE, CS, LO, SH, ...)."""
    key = _bounded(key).strip()
    return Wildcard(key) if key.strip("*") else Universal()


def text_values(key: str) -> list[str]:
    """Part a key of several texts (ModalitiesInStudy): separated by a backslash or, as URLs have it, a comma."""
    return [part for part in _LIST.split(_bounded(key)) if part.strip()]


def date(key: str) -> Criterion:
    """Understand a key of VR DA: 20260302, -20260302, 20260301-, 20260301-20260302."""
    return _range(key, _DATE, "a date is written YYYYMMDD, a range YYYYMMDD-YYYYMMDD")


def time(key: str) -> Criterion:
    """Understand a key of VR TM, at any precision: 08, 0815-, 081500-0930."""
    return _range(key.replace(":", ""), _TIME, "a time is written HHMMSS, a range HHMMSS-HHMMSS")


def period(date_key: str, time_key: str) -> Period | None:
    """Return the period of two ranges that are open at the same end or at none; None for all other keys."""
    dates, times = date(date_key), time(time_key)
    if "-" not in date_key or "-" not in time_key or not isinstance(dates, Range) or not isinstance(times, Range):
        return None
    alike = bool(dates.first) == bool(times.first) and bool(dates.last) == bool(times.last)
    return Period(dates, times) if alike else None


def _range(key: str, form: re.Pattern[str], advice: str) -> Criterion:
    key = _bounded(key).strip()
    if not key.strip("*"):
        return Universal()
    first, dash, last = (part.strip() for part in key.partition("-"))
    if not (first or last) or not all(form.match(part) for part in (first, last) if part):
        raise Invalid(f"the matching key {key!r} cannot be read: {advice}", code="matching-key")
    return Range(first, last if dash else first)


def _bounded(key: str) -> str:
    if len(key) > _MAX_KEY:
        raise Invalid(f"a matching key is at most {_MAX_KEY} characters long", code="matching-key")
    return key


def name_condition(
    key: str, alphabetic: ColumnElement[str], ideographic: ColumnElement[str], phonetic: ColumnElement[str]
) -> Clause:
    """Match a PN key against the three component groups; *alphabetic* holds folded text.

    A key of one group matches any of the three; "A=B=C" matches group by group.
    """
    columns = (alphabetic, ideographic, phonetic)
    groups = [text(group.strip(" ^")) for group in folded(key).split("=")[: len(columns)]]
    if len(groups) == 1:
        return EVERYTHING if isinstance(groups[0], Universal) else either(*(groups[0].condition(column) for column in columns))
    return every(*(group.condition(column) for group, column in zip(groups, columns, strict=False)))


def name_matches(key: str, groups: Iterable[str]) -> bool:
    """Answer as `name_condition` does, for one name's component groups."""
    values = [folded(group) for group in [*groups, "", "", ""][:3]]
    wanted = [text(group.strip(" ^")) for group in folded(key).split("=")[:3]]
    if len(wanted) == 1:
        return isinstance(wanted[0], Universal) or any(wanted[0].matches(value) for value in values)
    return all(criterion.matches(value) for criterion, value in zip(wanted, values, strict=False))
