"""What devices write whatever their label says, and the names that could not be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import Field
from sqlalchemy import Connection

from consult.practitioners.model import Institution, Viewer
from consult.practitioners.views import institution, institutions_by_id
from dicom_node.archive import profiles
from dicom_node.archive.charset import ASSUMABLE
from dicom_node.archive.profiles import Device
from dicom_node.archive.quarantine import illegible_names
from telemed.kernel.audit import Chronicle
from web.accounts.permissions import Permission
from web.api.operations import Call, Given, Operation
from web.api.pages import Page


class CharsetSetting(Given):
    """That a device writes *charset*; an empty part stands for any, but the AE title or the manufacturer must be said."""

    institution: str = Field(default="", max_length=64)
    ae_title: str = Field(default="", max_length=16)
    manufacturer: str = Field(default="", max_length=80)
    model: str = Field(default="", max_length=80)
    charset: str = Field(max_length=16)


@dataclass(frozen=True)
class CharsetProfile:
    """One setting; *institution* null is any."""

    id: str
    institution: Institution | None
    ae_title: str
    manufacturer: str
    model: str
    charset: str
    set_at: datetime


@dataclass(frozen=True)
class Reading:
    """What bytes would say in one character set."""

    charset: str
    text: str


@dataclass(frozen=True)
class IllegibleText:
    """A name that could not be read; *raw* is its bytes in hexadecimal."""

    institution: Institution
    patient_id: str
    ae_title: str
    manufacturer: str
    model: str
    raw: str
    readings: Sequence[Reading]


async def list_charset_profiles(call: Call[None, None]) -> Page[CharsetProfile]:
    """List what is assumed for which device, the most particular first."""
    return Page(await call.view(_listed))


async def list_charsets(call: Call[None, None]) -> Page[str]:  # noqa: ARG001 - every operation is handed its call
    """List the character sets that can be assumed."""
    return Page(tuple(ASSUMABLE))


async def list_illegible_names(call: Call[None, None]) -> Page[IllegibleText]:
    """List the names that could not be read, with what they would say in each character set."""
    return Page(await call.view(_illegible))


async def set_charset_profile(call: Call[None, CharsetSetting]) -> None:
    """Assume a character set for a device; what it sent before is read again."""
    await call.act(_set, call.body, call.viewer)


async def remove_charset_profile(call: Call[None, None]) -> None:
    """Assume nothing for that device any longer; what it sent is read again as it says itself."""
    await call.act(profiles.remove_profile, call.part("profile_id"), actor=call.viewer.practitioner_id)


def _listed(db: Connection) -> list[CharsetProfile]:
    known = profiles.profiles(db)
    places = institutions_by_id(db, {one.device.institution for one in known})
    return [
        CharsetProfile(
            one.id,
            places.get(one.device.institution),
            one.device.ae_title,
            one.device.manufacturer,
            one.device.model,
            one.charset,
            one.set_at,
        )
        for one in known
    ]


def _illegible(db: Connection) -> list[IllegibleText]:
    names = illegible_names(db)
    places = institutions_by_id(db, {one.institution for one in names})
    return [
        IllegibleText(
            places[one.institution],
            one.patient_id,
            one.device.ae_title,
            one.device.manufacturer,
            one.device.model,
            one.raw.hex(" "),
            [Reading(charset, text) for charset, text in one.readings.items()],
        )
        for one in names
    ]


def _set(db: Connection, chronicle: Chronicle, asked: CharsetSetting, viewer: Viewer) -> None:
    if asked.institution:
        institution(db, asked.institution)
    device = Device(asked.institution, asked.ae_title.strip(), asked.manufacturer.strip(), asked.model.strip())
    profiles.set_profile(db, chronicle, device, asked.charset, actor=viewer.practitioner_id)


OPERATIONS = (
    Operation("GET", "/charsets", list_charsets, Permission.SET_CHARSETS),
    Operation("GET", "/charsets/illegible", list_illegible_names, Permission.SET_CHARSETS),
    Operation("GET", "/charsets/profiles", list_charset_profiles, Permission.SET_CHARSETS),
    Operation("POST", "/charsets/profiles", set_charset_profile, Permission.SET_CHARSETS, status=204),
    Operation("DELETE", "/charsets/profiles/{profile_id}", remove_charset_profile, Permission.SET_CHARSETS, status=204),
)
