"""Which studies a person may see: the one question asked by every door that shows images, waveforms or reports.

There are three ways to a study: it is one's own institution's, one's hospital was asked about it, or one's institution is
invited to an open round over it. Of a study one may see, the reports kept in it as objects are withheld from whoever must be
blind to them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from sqlalchemy import ColumnElement, Connection, Select, bindparam, false, or_, select

from consult.practitioners.model import Role, Viewer
from consult.queue.model import TaskStatus
from consult.queue.tables import task_table
from consult.queue.views import blind
from consult.reports.tables import object_table, report_table
from consult.rounds.tables import round_table
from consult.rounds.views import joinable
from dicom_node.archive.tables import WRITTEN_HERE, instance_table, series_table, study_table
from telemed.kernel.errors import NotFound

#: Those who treat or diagnose. The regulator and the administrator have no business with anybody's images.
CLINICAL = frozenset({Role.CLINIC, Role.RADIOLOGIST, Role.CARDIOLOGIST, Role.COORDINATOR})

#: The modalities of series that reports are kept in.
_WRITTEN_AS = ("SR", "DOC")


@lru_cache(maxsize=4096)  # the condition's words, not its answer: making them took longer than asking
def visible(viewer: Viewer) -> ColumnElement[bool]:
    """Return the condition over study_table that says what *viewer* may see; always a part of the query, never a filter after."""
    if not viewer.roles & CLINICAL:
        return false()
    return or_(*(way(viewer) for way in WAYS))


@lru_cache(maxsize=4096)  # see visible
def visible_to_equipment(institution_id: str) -> ColumnElement[bool]:
    """Return the condition over study_table that says what an institution's own equipment may ask for and fetch.

    A round opens a study to people, not to machines.
    """
    seat = Viewer("equipment", "", frozenset(), institution_id)
    return or_(_own(seat), _asked(seat))


@lru_cache(maxsize=4096)  # see visible
def visible_series(viewer: Viewer) -> ColumnElement[bool]:
    """Return the condition over study_table and series_table for the series *viewer* may see."""
    kept = select(instance_table.c.id).where(instance_table.c.series_id == series_table.c.id, _withheld(viewer))
    return visible(viewer) & ~(series_table.c.modality.in_(_WRITTEN_AS) & kept.correlate(series_table).exists())


@lru_cache(maxsize=4096)  # see visible
def visible_instances(viewer: Viewer) -> ColumnElement[bool]:
    """Return the condition over study_table and instance_table for the objects *viewer* may see: no report they are blind to."""
    return visible(viewer) & ~_withheld(viewer)


def withheld_of(db: Connection, viewer: Viewer, institution: str, study_instance_uid: str) -> frozenset[str]:
    """Return the SOP Instance UIDs of the reports in a study that *viewer* must be blind to."""
    return frozenset(db.scalars(_withheld_of(viewer), {"institution": institution, "uid": study_instance_uid}))


@lru_cache(maxsize=4096)  # see visible
def _withheld_of(viewer: Viewer) -> Select[str]:
    of_study = (report_table.c.institution == bindparam("institution")) & (report_table.c.study_instance_uid == bindparam("uid"))
    return _hidden(viewer).where(of_study)


def _withheld(viewer: Viewer) -> ColumnElement[bool]:
    same = (object_table.c.sop_instance_uid == instance_table.c.sop_instance_uid) & (
        report_table.c.institution == instance_table.c.institution
    )
    return (instance_table.c.source == WRITTEN_HERE) & _hidden(viewer).where(same).correlate(instance_table).exists()


def _hidden(viewer: Viewer) -> Select[str]:
    """Ask for the objects of the reports *viewer* must be blind to: they name who has read the study."""
    objects = select(object_table.c.sop_instance_uid).join(report_table, report_table.c.id == object_table.c.report_id)
    return objects.join(task_table, task_table.c.id == report_table.c.task_id).where(blind(viewer))


def may_read_study(db: Connection, viewer: Viewer, study_instance_uid: str) -> str:
    """Return the institution that holds the study; NotFound when it is absent or not for this viewer: the two look the same.

    Where several hold a study of one UID the viewer's own comes first.
    """
    holders = sorted(db.scalars(_holders(viewer), {"uid": study_instance_uid}))
    if not holders:
        raise NotFound("there is no such study here", code="study")
    return viewer.institution_id if viewer.institution_id in holders else holders[0]


@lru_cache(maxsize=4096)  # see visible
def _holders(viewer: Viewer) -> Select[str]:
    return select(study_table.c.institution).where(study_table.c.study_instance_uid == bindparam("uid"), visible(viewer))


def _own(viewer: Viewer) -> ColumnElement[bool]:
    return study_table.c.institution == viewer.institution_id


def _asked(viewer: Viewer) -> ColumnElement[bool]:
    """Asked and not withdrawn; a hospital that declined is no longer the performer."""
    asked = (
        (task_table.c.institution_id == study_table.c.institution)
        & (task_table.c.study_instance_uid == study_table.c.study_instance_uid)
        & (task_table.c.performer_id == viewer.institution_id)
        & (task_table.c.status != TaskStatus.CANCELLED)
    )
    return select(task_table.c.id).where(asked).exists()


def _invited(viewer: Viewer) -> ColumnElement[bool]:
    over = (round_table.c.institution_id == study_table.c.institution) & (
        round_table.c.study_instance_uid == study_table.c.study_instance_uid
    )
    return select(round_table.c.id).where(over, joinable(viewer.institution_id)).exists()


#: Every way to a study.
WAYS: tuple[Callable[[Viewer], ColumnElement[bool]], ...] = (_own, _asked, _invited)
