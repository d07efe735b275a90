"""Lists, a page at a time: ``{"items": [...], "next": cursor or null}``."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import Field

from telemed.kernel.errors import Invalid
from web.api.operations import Given

T = TypeVar("T")


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some of a list; *next* is the cursor of the rest, null at the end."""

    items: Sequence[T]
    next: str | None = None


class PageQuery(Given):
    """Where a list goes on, and how much of it is wanted."""

    limit: int = Field(default=50, ge=1, le=200)
    cursor: str | None = Field(default=None, max_length=500)


def cursor_of(*key: str) -> str:
    """Write the sort key of a page's last item as an opaque cursor."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def key_of(cursor: str, parts: int) -> tuple[str, ...]:
    """Read a cursor of *parts* strings; Invalid when it is none of ours."""
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error):
        key = None
    if not isinstance(key, list) or len(key) != parts or not all(isinstance(part, str) for part in key):
        raise Invalid("the cursor is not one that a page ended with; begin without one", code="cursor")
    return tuple(key)


def page(found: Sequence[T], limit: int, key: Callable[[T], tuple[str, ...]]) -> Page[T]:
    """Make a page of up to *limit* of *found*, which holds one more when there is more."""
    if len(found) <= limit:
        return Page(list(found))
    return Page(list(found[:limit]), cursor_of(*key(found[limit - 1])))
