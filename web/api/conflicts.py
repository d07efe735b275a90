"""What came under a SOP Instance UID already kept: for the administrator, who sees which fields differ and no patient."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pydantic import Field

from dicom_node.archive import conflicts
from dicom_node.archive.blobs import Blobs
from web import keys
from web.accounts.permissions import Permission
from web.api.operations import Call, Given, Operation
from web.api.pages import Page


@dataclass(frozen=True)
class Conflict:
    """Two contents under one UID; *differs* names fields of the header, or content, or unreadable."""

    id: str
    institution: str
    study_instance_uid: str
    sop_instance_uid: str
    first_source: str
    first_received_at: datetime
    source: str
    received_at: datetime
    differs: tuple[str, ...]


class Resolution(Given):
    """Why a conflict may rest."""

    reason: str = Field(min_length=1, max_length=conflicts.LONGEST_REASON)


async def list_conflicts(call: Call[None, None]) -> Page[Conflict]:
    """List the objects that came with another content under a UID already kept, and what differs."""
    found = await call.view(conflicts.unresolved)
    return Page(await call.off_loop(_compared, call.request.app[keys.ARCHIVE].blobs, found))


async def resolve_conflict(call: Call[None, Resolution]) -> None:
    """Take a conflict off the list, saying why; both contents stay."""
    id_ = call.part("conflict_id")
    await call.act(conflicts.resolve, id_, reason=call.body.reason, actor=call.viewer.practitioner_id)


def _compared(blobs: Blobs, found: list[conflicts.Double]) -> list[Conflict]:
    return [
        Conflict(
            id=one.id,
            institution=one.institution,
            study_instance_uid=one.study_instance_uid,
            sop_instance_uid=one.sop_instance_uid,
            first_source=one.first_source,
            first_received_at=one.first_received_at,
            source=one.source,
            received_at=one.received_at,
            differs=conflicts.differences(blobs, one),
        )
        for one in found
    ]


OPERATIONS = (
    Operation("GET", "/conflicts", list_conflicts, Permission.MANAGE_NODE),
    Operation("POST", "/conflicts/{conflict_id}/resolve", resolve_conflict, Permission.MANAGE_NODE),
)
