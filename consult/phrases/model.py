"""What a phrase is, and the blanks in it that a report must not be signed with."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from consult.practitioners.model import Person
from consult.requests.model import Lane
from telemed.kernel.errors import Invalid

LONGEST_TEXT = 5000
LONGEST_NAME = 80
LONGEST_ABBREVIATION = 16
MOST_TAGS = 12
#: How many one person, or one hospital, keeps.
MOST_KEPT = 500


class PhraseKind(StrEnum):
    """A template begins a report; a macro is a piece of it, written by its abbreviation."""

    TEMPLATE = "template"
    MACRO = "macro"


class Keeper(StrEnum):
    """Whose phrase it is; in the order in which they are offered."""

    PERSON = "person"
    HOSPITAL = "hospital"
    BUILT_IN = "built-in"


class Region(StrEnum):
    """A region of the body, as coarse as templates are (compare PS3.16 CID 4)."""

    HEAD = "head"
    NECK = "neck"
    CHEST = "chest"
    HEART = "heart"
    BREAST = "breast"
    ABDOMEN = "abdomen"
    URINARY = "urinary"
    PELVIS = "pelvis"
    SPINE = "spine"
    LIMB = "limb"
    OBSTETRIC = "obstetric"


@dataclass(frozen=True)
class PhraseWording:
    """What a phrase says: a template *findings* and *impression*, a macro its *text*, written by its *abbreviation*.

    *modalities*, *regions* and *lanes* say of what; an empty one is of any.
    """

    name: str
    abbreviation: str = ""
    text: str = ""
    findings: str = ""
    impression: str = ""
    modalities: tuple[str, ...] = ()
    regions: tuple[Region, ...] = ()
    lanes: tuple[Lane, ...] = ()


@dataclass(frozen=True)
class Phrase:
    """A phrase as it stands; *version* is 0 of what is built in. *based_on* names the one it was copied from."""

    id: str
    kind: PhraseKind
    keeper: Keeper
    wording: PhraseWording
    based_on: str | None = None
    version: int = 0
    changed_at: datetime | None = None
    changed_by: Person | None = None
    removed_at: datetime | None = None


@dataclass(frozen=True)
class PhraseVersion:
    """What a phrase said once, and who let it say so."""

    version: int
    wording: PhraseWording
    changed_at: datetime
    changed_by: Person


#: A blank: ``{{size}}`` is written in, ``{{side:left|right}}`` is chosen from. The browser reads them by the same rule.
BLANK = re.compile(r"\{\{[^{}\n]*\}\}")


def blanks_in(*texts: str) -> tuple[str, ...]:
    """Return every blank that is left in some texts, as it is written there."""
    return tuple(found for text in texts for found in BLANK.findall(text))


def checked(kind: PhraseKind, wording: PhraseWording) -> PhraseWording:
    """Return *wording* trimmed; raise Invalid naming what a phrase of that kind lacks, or has too much of."""
    kept = replace(
        wording,
        name=wording.name.strip(),
        abbreviation=wording.abbreviation.strip().lower(),
        modalities=tuple(dict.fromkeys(modality.strip().upper() for modality in wording.modalities if modality.strip())),
        regions=tuple(dict.fromkeys(wording.regions)),
        lanes=tuple(dict.fromkeys(wording.lanes)),
    )
    if not kept.name or len(kept.name) > LONGEST_NAME:
        raise Invalid(f"give the phrase a name of at most {LONGEST_NAME} characters", code="phrase-name")
    if max(len(kept.text), len(kept.findings), len(kept.impression)) > LONGEST_TEXT:
        raise Invalid(f"the text is too long: at most {LONGEST_TEXT} characters", code="phrase-too-long")
    if max(len(kept.modalities), len(kept.regions), len(kept.lanes)) > MOST_TAGS or any(len(one) > 16 for one in kept.modalities):
        raise Invalid(f"a phrase has at most {MOST_TAGS} modalities, regions and lanes", code="phrase-tags")
    if kind is PhraseKind.TEMPLATE:
        if not (kept.findings.strip() or kept.impression.strip()):
            raise Invalid("a template needs findings or an impression", code="phrase-empty")
        return replace(kept, text="", abbreviation="")
    if not kept.text.strip():
        raise Invalid("a macro needs the text it stands for", code="phrase-empty")
    if not kept.abbreviation or len(kept.abbreviation) > LONGEST_ABBREVIATION or re.search(r"[\s;；]", kept.abbreviation):
        raise Invalid(
            f"a macro needs an abbreviation of 1 to {LONGEST_ABBREVIATION} characters without spaces", code="phrase-abbreviation"
        )
    return replace(kept, findings="", impression="")
