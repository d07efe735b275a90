"""Who is whom: one person under two patient IDs, two people under one; decided by people, and taken back."""

from __future__ import annotations

from pydantic import Field

from consult import identity
from consult.identity import Doubt, KnownPerson, TheirStudy, ToldMerge, ToldSplit
from web.accounts.permissions import Permission
from web.api.operations import Call, Given, Operation
from web.api.pages import Page


class PatientsQuery(Given):
    """Whom to look for: the beginning of a name, in characters, pinyin or initials, or of a patient ID."""

    q: str = Field(min_length=1, max_length=80)


class Merging(Given):
    """Which patient is which other one, and why; *despite_conflicts* when sex or birth date are known to differ."""

    survivor: str = Field(max_length=32)
    absorbed: str = Field(max_length=32)
    reason: str = Field(max_length=identity.LONGEST_REASON)
    despite_conflicts: bool = False


class Splitting(Given):
    """Which studies are not the patient's, and why; *to* whose they are, another person's of the same ID where it is empty."""

    to: str = Field(default="", max_length=32)
    studies: list[str] = Field(min_length=1, max_length=identity.MOST_STUDIES)
    reason: str = Field(max_length=identity.LONGEST_REASON)


class ToldApart(Given):
    """A patient ID under which there are different people."""

    institution: str = Field(max_length=64)
    patient_id: str = Field(min_length=1, max_length=80)


async def find_patients(call: Call[PatientsQuery, None]) -> Page[KnownPerson]:
    """Find persons by name or patient ID; who asked is in the audit trail."""
    return Page(await call.act(identity.found, call.query.q, by=call.viewer))


async def list_doubtful_patients(call: Call[None, None]) -> Page[Doubt]:
    """List the patient IDs that several persons share and nobody has looked at yet."""
    return Page(await call.view(identity.doubtful, call.viewer))


async def tell_patients_apart(call: Call[None, ToldApart]) -> None:
    """Record that those who share a patient ID are different people."""
    await call.act(identity.tell_apart, call.body.institution, call.body.patient_id, by=call.viewer)


async def list_merges(call: Call[None, None]) -> Page[ToldMerge]:
    """List the newest merges, those taken back among them."""
    return Page(await call.view(identity.merges, call.viewer))


async def merge_patients(call: Call[None, Merging]) -> None:
    """Show two patients as one person; 409 `demographics` when sex or birth date differ and that was not said to be known."""
    body = call.body
    await call.act(
        identity.merge,
        survivor=body.survivor,
        absorbed=body.absorbed,
        reason=body.reason,
        despite_conflicts=body.despite_conflicts,
        by=call.viewer,
    )


async def undo_merge(call: Call[None, None]) -> None:
    """Take a merge back: everything is shown as if it had never been made."""
    await call.act(identity.unmerge, call.part("merge_id"), by=call.viewer)


async def list_patient_studies(call: Call[None, None]) -> Page[TheirStudy]:
    """List the studies that are shown with a patient; who asked is in the audit trail."""
    return Page(await call.act(identity.studies_of, call.part("patient_id"), by=call.viewer))


async def list_splits(call: Call[None, None]) -> Page[ToldSplit]:
    """List the newest splits, those taken back among them."""
    return Page(await call.view(identity.splits, call.viewer))


async def split_patient(call: Call[None, Splitting]) -> None:
    """Show chosen studies of a patient as another person's."""
    body = call.body
    await call.act(
        identity.split,
        patient=call.part("patient_id"),
        to=body.to or None,
        studies=body.studies,
        reason=body.reason,
        by=call.viewer,
    )


async def undo_split(call: Call[None, None]) -> None:
    """Take a split back; 409 `moved` when one of its studies was moved again since."""
    await call.act(identity.unsplit, call.part("split_id"), by=call.viewer)


OPERATIONS = (
    Operation("GET", "/patients", find_patients, Permission.RECONCILE),
    Operation("GET", "/patients/doubtful", list_doubtful_patients, Permission.RECONCILE),
    Operation("POST", "/patients/distinct", tell_patients_apart, Permission.RECONCILE, status=204),
    Operation("GET", "/patients/{patient_id}/studies", list_patient_studies, Permission.RECONCILE),
    Operation("POST", "/patients/{patient_id}/splits", split_patient, Permission.RECONCILE, status=204),
    Operation("GET", "/patients/splits", list_splits, Permission.RECONCILE),
    Operation("POST", "/patients/splits/{split_id}/undo", undo_split, Permission.RECONCILE, status=204),
    Operation("GET", "/patients/merges", list_merges, Permission.RECONCILE),
    Operation("POST", "/patients/merges", merge_patients, Permission.RECONCILE, status=204),
    Operation("POST", "/patients/merges/{merge_id}/undo", undo_merge, Permission.RECONCILE, status=204),
)
