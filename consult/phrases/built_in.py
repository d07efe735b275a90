"""The phrases that are there from the first day, in Chinese and in English: see `built_in.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from consult.phrases.model import Keeper, Phrase, PhraseKind, PhraseWording, Region, checked
from consult.requests.model import Lane

FILE = Path(__file__).with_suffix(".toml")


@cache
def built_in(language: str) -> tuple[Phrase, ...]:
    """Return what is built in, worded in "zh" or "en"."""
    given = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return tuple(_phrase(kind, one, language) for kind in PhraseKind for one in given[kind])


def _phrase(kind: PhraseKind, given: dict[str, Any], language: str) -> Phrase:
    tags = PhraseWording(
        "",
        modalities=tuple(given.get("modalities", ())),
        regions=tuple(Region(one) for one in given.get("regions", ())),
        lanes=tuple(Lane(one) for one in given.get("lanes", ())),
    )
    return Phrase(given["id"], kind, Keeper.BUILT_IN, checked(kind, replace(tags, **given[language])))
