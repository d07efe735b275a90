"""Attribute matching of PS3.4 C.2.2.2, word for word the same for QIDO-RS and C-FIND."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Query:
    r"""What is asked for: *keys* from attribute keyword ("PatientName") to the matching key as text.

    An empty key matches everything (universal). A list of UIDs is separated by a backslash or a comma.
    A keyword that the level does not know raises Invalid. *limit* None means no limit.
    """

    keys: Mapping[str, str] = field(default_factory=dict)
    limit: int | None = 100
    offset: int = 0
    fuzzy: bool = False
