"""A section, its states, what its signature covers, and how the signed ones become one text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from consult.phrases.model import Region
from consult.practitioners.model import Person
from consult.reports.model import LONGEST_TEXT, REGION_NAMES, Draft
from ecg.analysis import Text
from telemed.kernel.clock import rfc3339
from telemed.kernel.errors import Conflict

#: The regions a study may be split into, in the order of the report.
REGIONS = tuple(REGION_NAMES)
FEWEST, MOST = 2, 6
#: The longest of either text of a section: as many as there may be make no report that is too long.
LONGEST_SECTION = 3000


class SectionStatus(StrEnum):
    """How far a section is."""

    OPEN = "open"
    CLAIMED = "claimed"
    SIGNED = "signed"


#: States in which somebody holds a section by a lease that they renew.
LEASED = (SectionStatus.CLAIMED,)


class SectionEvent(StrEnum):
    """What can happen to a section."""

    CLAIM = "claim"
    RELEASE = "release"
    TAKE_OVER = "take-over"
    SAVE = "save"
    SIGN = "sign"


_S, _E = SectionStatus, SectionEvent

TRANSITIONS: Mapping[tuple[SectionStatus, SectionEvent], SectionStatus] = {
    (_S.OPEN, _E.CLAIM): _S.CLAIMED,
    (_S.CLAIMED, _E.RELEASE): _S.OPEN,
    (_S.CLAIMED, _E.TAKE_OVER): _S.CLAIMED,
    (_S.CLAIMED, _E.SAVE): _S.CLAIMED,
    (_S.CLAIMED, _E.SIGN): _S.SIGNED,
}


def status_after(status: SectionStatus, event: SectionEvent) -> SectionStatus:
    """Return the state of a section once *event* has happened to it; Conflict when it cannot happen now."""
    try:
        return TRANSITIONS[status, event]
    except KeyError:
        raise Conflict(f"a section that is {status} cannot take the step {event}", code="section-state") from None


@dataclass(frozen=True)
class Written:
    """What stands in a section; *version* grows by one with each save."""

    findings: str = ""
    impression: str = ""
    critical: bool = False
    version: int = 0
    saved_at: datetime | None = None


@dataclass(frozen=True)
class Section:
    """One region of a task's study; *written* is None where it is not the viewer's to see."""

    id: str
    task_id: str
    region: Region
    name: Text
    status: SectionStatus
    reader: Person | None
    signed_at: datetime | None
    content_sha256: str | None
    written: Written | None


def digest(section: Section, study_instance_uid: str, written: Written, by: Person, signed_at: datetime) -> str:
    """Return the SHA-256 of what a section's signature covers: JSON with sorted keys, UTF-8, no spaces."""
    content = {
        "id": section.id,
        "task_id": section.task_id,
        "study_instance_uid": study_instance_uid,
        "region": section.region.value,
        "findings": written.findings,
        "impression": written.impression,
        "critical": written.critical,
        "signed_at": rfc3339(signed_at),
        "signed_by": vars(by),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def merged(sections: Iterable[Section], before: Draft) -> Draft:
    """Return the draft that *sections* make, each under its heading; what the lead had written *before* stays above them.

    Where both together are longer than a report may be, the sections alone are the text.
    """
    written = [(one.name, one.written) for one in sections if one.written is not None]
    findings = _joined(before.findings, [_headed(name, one.findings) for name, one in written])
    impression = _joined(before.impression, [_headed(name, one.impression) for name, one in written])
    critical = before.critical or any(one.critical for _, one in written)
    return replace(before, findings=findings, impression=impression, critical=critical)


def _headed(name: Text, text: str) -> str:
    return f"【{name.zh} {name.en}】\n{text.strip()}"


def _joined(before: str, parts: list[str]) -> str:
    together = "\n\n".join(parts)
    whole = f"{before.strip()}\n\n{together}".strip()
    return whole if len(whole) <= LONGEST_TEXT else together
