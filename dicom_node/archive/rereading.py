"""Texts read again from the kept bytes, when what a device writes is known better than its label says.

What the index says of a text is a function of the bytes and of the profiles alone: setting a profile reads everything of
that device again, and so does removing it, which puts back what stood before. IDs and accession numbers stay as filed.
"""

from __future__ import annotations

import logging
import mmap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, RowMapping, func, select, update

from dicom_node.archive import events
from dicom_node.archive.blobs import Blobs
from dicom_node.archive.header import Header, read_header
from dicom_node.archive.indexing import Received, name_columns, rename
from dicom_node.archive.part10 import read_preface
from dicom_node.archive.profiles import Device, Profile, assumed_for, profiles
from dicom_node.archive.tables import instance_table, patient_table, series_table, study_table
from telemed.kernel.audit import Chronicle
from telemed.kernel.database import Database
from telemed.kernel.errors import TelemedError
from telemed.kernel.events import Event, Follower, Write

log = logging.getLogger(__name__)

AT_ONCE = 100


def device_of(institution: str, source: str, attributes: Any) -> Device:  # noqa: ANN401 - a series' attributes by keyword
    """Return which device an object came from, by its calling AE title and what its series says."""
    stated = (str(attributes.get(keyword, "")) for keyword in ("Manufacturer", "ManufacturerModelName"))
    return Device(institution, source, *stated)


def as_written(objects: Sequence[Received], known: Sequence[Profile], blobs: Blobs) -> list[Received]:
    """Return *objects*, whose files are kept already, with the headers of those that a profile is set for read by it."""
    if not known:
        return list(objects)
    again = []
    for one in objects:
        charset = assumed_for(known, device_of(one.institution, one.source, one.header.series_attributes))
        header = _read_again(blobs, one.digest, charset) if charset else None  # of what came before no second file is kept
        again.append(replace(one, header=header) if header else one)
    return again


def _read_again(blobs: Blobs, digest: str, charset: str) -> Header | None:
    """Read the header of a kept object, assuming *charset* (nothing when empty); None when it cannot be read."""
    try:
        with (
            blobs.path(digest).open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
            memoryview(mapped) as whole,
        ):
            given = read_preface(whole)
            with whole[given.length :] as bare:
                return read_header(bare, given.transfer_syntax_uid, charset)
    except (TelemedError, OSError, ValueError) as error:
        log.warning("object %s cannot be read again: %s", digest, error)
        return None


@dataclass(frozen=True)
class _Change:
    """What is to be written for one series, its study and its patient."""

    series_id: str
    series: dict[str, Any]
    study_id: str
    study: dict[str, Any]
    patient_key: str
    header: Header


class Rereading:
    """The worker that reads a device's texts again whenever a profile is set for it or removed."""

    def __init__(self, database: Database, chronicle: Chronicle, blobs: Blobs) -> None:
        self._database = database
        self._chronicle = chronicle
        self._blobs = blobs
        types = (events.CHARSET_PROFILE_SET, events.CHARSET_PROFILE_REMOVED)
        self._follower = Follower("charset-rereading", database, chronicle.events, types, self._answer)

    def start(self) -> None:
        """Begin to follow the log."""
        self._follower.start()

    def stop(self, seconds: float = 10) -> None:
        """Finish the work at hand and end."""
        self._follower.stop(seconds)

    def _answer(self, event: Event) -> Write:
        """Read everything of the event's device again; repeated after a crash it finds the rest unchanged."""
        names = ("institution", "ae_title", "manufacturer", "model")
        device = Device(*(str(event.data[name]) for name in names))
        changed = self.reread(device)
        told = {"institution": device.institution, "ae_title": device.ae_title, "series": changed}
        return lambda db: self._tell(db, event.subject, told)

    def _tell(self, db: Connection, profile_id: str, told: dict[str, Any]) -> None:
        institution = str(told["institution"])
        self._chronicle.enter(db, events.TEXTS_REREAD, profile_id, told, actor="system", institution=institution, entity="Device")

    def reread(self, device: Device) -> int:
        """Read the texts of every series of *device* again; return of how many series something changed."""
        last, count = "", 0
        while True:
            with self._database.reading() as db:
                known, rows = profiles(db), _series_of(db, device, after=last)
            changes = [change for row in rows if (change := self._change(row, known)) is not None]
            if changes:
                with self._database.transaction() as db:
                    count += sum(_write(db, change) for change in changes)
            if len(rows) < AT_ONCE:
                return count
            last = rows[-1]["series_id"]

    def _change(self, row: RowMapping, known: Sequence[Profile]) -> _Change | None:
        """Read the object that the rows were made from; None when it cannot be read."""
        charset = assumed_for(known, device_of(row["institution"], row["source"], row["attributes"]))
        header = _read_again(self._blobs, row["digest"], charset)
        if header is None:
            return None
        series = {
            "description": header.series_description,
            "body_part": header.body_part,
            "attributes": {**row["attributes"], **header.series_attributes},
        }
        study = {
            "description": header.study_description,
            "referring_physician": header.referring_physician,
            "attributes": {**row["study_attributes"], **header.study_attributes},
        }
        made_study = row["first_of_study"] == row["received_at"]
        return _Change(row["series_id"], series, row["study_id"], study if made_study else {}, row["patient_key"], header)


def _series_of(db: Connection, device: Device, *, after: str) -> Sequence[RowMapping]:
    """Return the next series of *device*, each with its first object, from which its row was made."""
    inside = instance_table.alias()
    made_it = (inside.c.series_id == series_table.c.id) & (inside.c.received_at == series_table.c.first_received_at)
    first = select(func.min(inside.c.id)).where(made_it).correlate(series_table)
    named = func.coalesce(study_table.c.received_patient_key, study_table.c.patient_key)
    rows = (
        select(
            series_table.c.id.label("series_id"),
            series_table.c.attributes,
            study_table.c.id.label("study_id"),
            study_table.c.institution,
            study_table.c.attributes.label("study_attributes"),
            study_table.c.first_received_at.label("first_of_study"),
            named.label("patient_key"),
            instance_table.c.source,
            instance_table.c.digest,
            instance_table.c.received_at,
        )
        .join(study_table, study_table.c.id == series_table.c.study_id)
        .join(instance_table, instance_table.c.series_id == series_table.c.id)
        .where(device.condition(), series_table.c.id > after, instance_table.c.id == first.scalar_subquery())
        .order_by(series_table.c.id)
        .limit(AT_ONCE)
    )
    return db.execute(rows).mappings().all()


def _write(db: Connection, change: _Change) -> bool:
    """Write what differs; tell whether anything did."""
    changed = False
    for table, key, values in ((series_table, change.series_id, change.series), (study_table, change.study_id, change.study)):
        kept = db.execute(select(table).where(table.c.id == key)).mappings().one()
        if any(kept[name] != value for name, value in values.items()):
            db.execute(update(table).where(table.c.id == key).values(**values))
            changed = True
    mine = db.execute(select(patient_table).where(patient_table.c.id == change.patient_key)).mappings().one()
    columns = name_columns(change.header.patient_name)
    # A row made from other bytes was made by another device, which may be right.
    if mine["name_raw"] == change.header.patient_name_raw and any(mine[name] != value for name, value in columns.items()):
        rename(db, change.patient_key, change.header.patient_name)
        changed = True
    return changed
