"""`telemed charset`: what a device writes, whatever its label says."""

from __future__ import annotations

from consult.practitioners import views
from dicom_node.archive import profiles
from dicom_node.archive.profiles import Device
from dicom_node.archive.quarantine import illegible_names
from telemed.config import Config
from telemed.keeping import kept
from telemed.people import CONSOLE, institution_named


def set_charset(config: Config, charset: str, *, institution: str, ae_title: str, manufacturer: str, model: str) -> str:
    """Assume *charset* for a device; *institution* by either name, empty for any. Return what happens next."""
    with kept(config) as store, store.database.transaction() as db:
        whose = institution_named(db, institution) if institution else ""
        device = Device(whose, ae_title, manufacturer, model)
        profile = profiles.set_profile(db, store.chronicle, device, charset, actor=CONSOLE)
    return f"{profile}: what this device sent is read again while the server runs, or when it next starts"


def remove_charset(config: Config, profile_id: str) -> None:
    """Assume nothing for that device any longer."""
    with kept(config) as store, store.database.transaction() as db:
        profiles.remove_profile(db, store.chronicle, profile_id, actor=CONSOLE)


def list_charsets(config: Config) -> list[str]:
    """Return a line for each profile: id, charset, institution, AE title, manufacturer, model ("*" is any)."""
    with kept(config) as store, store.database.reading() as db:
        names = {one.id: one.name for one in views.institutions(db)}
        known = profiles.profiles(db)
    return [
        "\t".join((one.id, one.charset, *_told(one.device, names.get(one.device.institution, one.device.institution))))
        for one in known
    ]


def list_illegible(config: Config) -> list[str]:
    """Return a line for each name that could not be read: institution, patient ID, device, bytes, possible readings."""
    with kept(config) as store, store.database.reading() as db:
        names = {one.id: one.name for one in views.institutions(db)}
        found = illegible_names(db)
    return [
        "\t".join(
            (
                one.patient_id,
                *_told(one.device, names.get(one.institution, one.institution)),
                one.raw.hex(),
                ", ".join(f"{charset}: {text}" for charset, text in one.readings.items()),
            )
        )
        for one in found
    ]


def _told(device: Device, institution: str) -> tuple[str, ...]:
    return tuple(part or "*" for part in (institution, device.ae_title, device.manufacturer, device.model))
