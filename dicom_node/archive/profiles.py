"""What a device writes, whatever its label says: the character set to assume, by who sends or who built it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, insert, select, true

from dicom_node.archive import events
from dicom_node.archive.charset import ASSUMABLE
from dicom_node.archive.tables import charset_profile_table, instance_table, series_table, study_table
from telemed.kernel.audit import Chronicle
from telemed.kernel.database import new_id
from telemed.kernel.errors import Invalid, NotFound


@dataclass(frozen=True)
class Device:
    """A device, or all that fit: what is empty stands for any. The AE title is the calling one."""

    institution: str
    ae_title: str
    manufacturer: str
    model: str

    def covers(self, other: Device) -> bool:
        """Tell whether *other*, of which everything is known, is meant."""
        return all(ours in ("", theirs) for ours, theirs in zip(self._parts, other._parts, strict=True))

    @property
    def particularity(self) -> int:
        """How much is said: the profile that says more wins."""
        return sum(map(bool, self._parts))

    @property
    def _parts(self) -> tuple[str, str, str, str]:
        return self.institution, self.ae_title, self.manufacturer, self.model

    def condition(self) -> ColumnElement[bool]:
        """Return the condition over series_table and study_table for the series that came from it."""
        attributes, wanted = series_table.c.attributes, []
        if self.institution:
            wanted.append(study_table.c.institution == self.institution)
        if self.ae_title:
            came = instance_table.alias()
            wanted.append(exists().where(came.c.series_id == series_table.c.id, came.c.source == self.ae_title))
        for keyword, value in (("Manufacturer", self.manufacturer), ("ManufacturerModelName", self.model)):
            if value:
                wanted.append(attributes[keyword].as_string() == value)
        return and_(true(), *wanted)


@dataclass(frozen=True)
class Profile:
    """That *device* writes *charset* (one of charset.ASSUMABLE)."""

    id: str
    device: Device
    charset: str
    set_by: str
    set_at: datetime


def profiles(db: Connection) -> list[Profile]:
    """Return every profile, the most particular first."""
    rows = db.execute(select(charset_profile_table).order_by(charset_profile_table.c.set_at)).mappings()
    found = [Profile(row["id"], _device(row), row["charset"], row["set_by"], row["set_at"]) for row in rows]
    return sorted(found, key=lambda one: -one.device.particularity)


def assumed_for(known: Sequence[Profile], device: Device) -> str:
    """Return the character set to assume for *device*; empty when none is set."""
    return next((one.charset for one in known if one.device.covers(device)), "")


def set_profile(db: Connection, chronicle: Chronicle, device: Device, charset: str, *, actor: str) -> str:
    """Assume *charset* for *device* from now on, in place of what was assumed before; return the profile's id.

    Raises
    ------
    Invalid
        when the character set is none of ASSUMABLE, or neither AE title nor manufacturer is said.
    """
    if charset not in ASSUMABLE:
        raise Invalid(f"{charset[:16]!r} cannot be assumed; choose one of {', '.join(ASSUMABLE)}", code="charset")
    if not device.ae_title and not device.manufacturer:
        raise Invalid("say which device: its AE title, or its manufacturer", code="device")
    if len(device.ae_title) > 16 or max(len(device.manufacturer), len(device.model)) > 80:
        raise Invalid("an AE title has at most 16 characters, a manufacturer or model 80", code="device")
    values = vars(device) | {"charset": charset}
    db.execute(
        delete(charset_profile_table).where(*(charset_profile_table.c[name] == part for name, part in vars(device).items()))
    )
    id_ = new_id()
    db.execute(insert(charset_profile_table).values(id=id_, **values, set_by=actor, set_at=chronicle.clock.now()))
    chronicle.enter(db, events.CHARSET_PROFILE_SET, id_, values, actor=actor, institution=device.institution, entity="Device")
    return id_


def remove_profile(db: Connection, chronicle: Chronicle, profile_id: str, *, actor: str) -> None:
    """Assume nothing for that device any longer; NotFound when there is no such profile."""
    row = db.execute(select(charset_profile_table).where(charset_profile_table.c.id == profile_id)).mappings().first()
    if row is None:
        raise NotFound("there is no such charset profile", code="profile")
    db.execute(delete(charset_profile_table).where(charset_profile_table.c.id == profile_id))
    values = vars(_device(row)) | {"charset": row["charset"]}
    told = {"actor": actor, "institution": row["institution"], "entity": "Device"}
    chronicle.enter(db, events.CHARSET_PROFILE_REMOVED, profile_id, values, **told)


def _device(row: Any) -> Device:  # noqa: ANN401 - a mapping of the table's columns
    return Device(row["institution"], row["ae_title"], row["manufacturer"], row["model"])
