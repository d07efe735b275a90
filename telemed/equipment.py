"""`telemed peer`, `forward` and `worklist`: the DICOM nodes around us, what they get, and what the modalities are to do."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydicom.uid import generate_uid
from sqlalchemy import Connection

from consult.practitioners import views
from consult.practitioners.actions import bind_ae, unbind_ae
from consult.practitioners.model import SYSTEM
from consult.requests import actions
from consult.requests.model import HOUSE_ZONE, WORKLIST_REACHES_BACK, Examination
from consult.requests.views import scheduled
from dicom_node import directory
from dicom_node.directory import Entry
from dicom_node.forwarding import queue, rules
from dicom_node.peers import Peer
from dicom_node.tls import fingerprint, fingerprint_of
from telemed.config import Config
from telemed.keeping import kept
from telemed.kernel.database import new_id
from telemed.kernel.errors import Conflict, Invalid
from telemed.people import CONSOLE, MOST_ROWS, institution_named

#: How a birth date may be written: year, month and day in an order that nobody can mistake.
_BIRTH_DATES = tuple(
    re.compile(form, re.ASCII)
    for form in (
        r"(\d{4})(\d\d)(\d\d)",
        r"(\d{4})-(\d\d?)-(\d\d?)",
        r"(\d{4})/(\d\d?)/(\d\d?)",
        r"(\d{4})\.(\d\d?)\.(\d\d?)",
        r"(\d{4})年(\d\d?)月(\d\d?)日",
    )
)
_COLUMNS = ("institution", "accession_number", "patient_id", "name", "modality", "scheduled_at")


@dataclass(frozen=True)
class Shown:
    """The certificate that an AE has to show over TLS, as it was given: a file, or its SHA-256; neither: any."""

    certificate: Path | None = None
    fingerprint: str = ""

    @property
    def sha256(self) -> str:
        """Its SHA-256 in hexadecimal, empty for any; Invalid when it cannot be understood."""
        if self.certificate is not None:
            return fingerprint_of(self.certificate)
        return fingerprint(self.fingerprint) if self.fingerprint else ""


ANY_CERTIFICATE = Shown()


def add_device(config: Config, aet: str, *, institution: str, networks: Sequence[str], shown: Shown) -> None:
    """Let the AE title *aet* speak for *institution* (either name) when it calls from *networks* (CIDR; none: any)."""
    with kept(config) as store, store.database.transaction() as db:
        bind_ae(
            db,
            store.chronicle,
            ae_title=aet,
            networks=networks,
            certificate_sha256=shown.sha256,
            institution_id=institution_named(db, institution),
            by=SYSTEM,
        )


def remove_device(config: Config, aet: str, *, institution: str) -> None:
    """Let the AE title *aet* speak for *institution* no more."""
    with kept(config) as store, store.database.transaction() as db:
        unbind_ae(db, store.chronicle, ae_title=aet, institution_id=institution_named(db, institution), by=SYSTEM)


def list_devices(config: Config) -> list[str]:
    """Return a line for each AE title that may call: title, whose, from where, with which certificate."""
    with kept(config) as store, store.database.reading() as db:
        names = {one.id: one.name for one in views.institutions(db)}
        return [
            "\t".join((one.ae_title, names[one.institution_id], " ".join(one.networks) or "*", one.certificate_sha256 or "-"))
            for one in views.bindings(db)
        ]


def add_peer(
    config: Config,
    aet: str,
    address: str,
    *,
    institution: str = "",
    tls: bool = False,
    shown: Shown = ANY_CERTIFICATE,
    commits: bool = False,
) -> None:
    """Enter a DICOM node; *institution* by either name, empty for everybody's; the rest as `directory.Entry` has it."""
    peer, sha256 = Peer.parse(f"{aet}@{address}"), shown.sha256
    if sha256 and not tls:
        raise Invalid("a certificate is shown over TLS only: say --tls, too", code="certificate")
    with kept(config) as store, store.database.transaction() as db:
        whose = institution_named(db, institution) if institution else ""
        entry = Entry(peer.aet, peer.host, peer.port, whose, tls, sha256, commits)
        directory.add_peer(db, store.chronicle, entry, actor=CONSOLE)


def remove_peer(config: Config, aet: str) -> None:
    """Strike a DICOM node out."""
    with kept(config) as store, store.database.transaction() as db:
        directory.remove_peer(db, store.chronicle, aet, actor=CONSOLE)


def list_peers(config: Config) -> list[str]:
    """Return a line for each DICOM node: AE title, address, whose, and how it is spoken to where that is not plain DICOM."""
    with kept(config) as store, store.database.reading() as db:
        names = {one.id: one.name for one in views.institutions(db)}
        entries = directory.entries(db)
    return [
        "\t".join(
            (
                one.ae_title,
                one.address,
                names.get(one.institution, one.institution) or "everybody",
                *(("TLS " + one.certificate_sha256).strip(),) * one.tls,
                *("commits",) * one.commits,
            )
        )
        for one in entries
    ]


def add_forwarding(config: Config, aet: str, *, institution: str, modality: str, reports: bool) -> None:
    """Let objects of *institution* (either name) and *modality*, empty for any, be sent on to a peer; or its *reports* alone."""
    with kept(config) as store, store.database.transaction() as db:
        rules.add_rule(db, store.chronicle, _rule(db, aet, institution, modality, reports), actor=CONSOLE)


def remove_forwarding(config: Config, aet: str, *, institution: str, modality: str, reports: bool) -> None:
    """Strike a rule out; what it has queued is still sent."""
    with kept(config) as store, store.database.transaction() as db:
        rules.remove_rule(db, store.chronicle, _rule(db, aet, institution, modality, reports), actor=CONSOLE)


def retry_forwarding(config: Config, aet: str) -> str:
    """Send what waits for a destination now, and what was given up; say how many objects."""
    with kept(config) as store, store.database.transaction() as db:
        return f"{queue.retry(db, store.chronicle, aet, actor=CONSOLE)} objects are tried again"


def cancel_forwarding(config: Config, aet: str) -> str:
    """Forget what waits for a destination; say how many objects."""
    with kept(config) as store, store.database.transaction() as db:
        return f"{queue.cancel(db, store.chronicle, aet, actor=CONSOLE)} objects will not be sent"


def list_forwarding(config: Config) -> list[str]:
    """Return a line for each rule, and one for the queue of each destination."""
    with kept(config) as store, store.database.reading() as db:
        names = {one.id: one.name for one in views.institutions(db)}
        found = queue.destinations(db, store.chronicle.clock.now())
    lines = []
    for one in found:
        for rule in one.rules:
            whose = names.get(rule.institution, rule.institution) or "every institution"
            lines.append(f"{rule.ae_title}\t{whose}\t{rule.modality or ('reports' if rule.reports else 'everything')}")
        if one.rules or one.waiting or one.given_up:
            since = f", the oldest since {one.oldest_at.astimezone(HOUSE_ZONE):%Y-%m-%d %H:%M}" if one.oldest_at else ""
            error = f"; {one.error}" if one.error else ""
            lines.append(f"{one.ae_title}\t{one.sent} sent, {one.waiting} waiting, {one.given_up} given up{since}{error}")
    return lines


def _rule(db: Connection, aet: str, institution: str, modality: str, reports: bool) -> rules.Rule:  # noqa: FBT001 - a rule's own fields
    return rules.Rule(aet, institution_named(db, institution) if institution else "", modality.upper(), reports)


def import_worklist(config: Config, file: Path) -> str:
    """Take in a CSV of examinations (UTF-8), all or none, and say how many came.

    The columns are institution, accession_number, patient_id, name ("WANG^Fang=王芳"), modality and scheduled_at
    ("2026-03-02 09:30", Chinese standard time unless it states an offset); sex, birth_date (the year first: 19580214,
    1958-02-14, 1958/2/14, 1958.2.14, 1958年2月14日), station_aet and description may follow. An accession number
    that is already known is left as it is: the same list may be imported again.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            rows = list(csv.DictReader(text))[: MOST_ROWS + 1]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Invalid(f"{file}: cannot be read as CSV in UTF-8 ({error})") from error
    if not rows or any(column not in rows[0] for column in _COLUMNS):
        raise Invalid(f"{file}: the first line must name the columns {', '.join(_COLUMNS)}")
    if len(rows) > MOST_ROWS:
        raise Invalid(f"{file}: more than {MOST_ROWS} examinations; split the file")
    taken = 0
    with kept(config) as store, store.database.transaction() as db:
        for number, row in enumerate(rows, start=2):
            try:
                actions.schedule(
                    db, store.chronicle, _examination(row, institution_named(db, row["institution"] or "")), by=SYSTEM
                )
            except Conflict:
                continue
            except Invalid as error:
                raise Invalid(f"{file}, line {number}: {error.sentence}") from error
            taken += 1
    return f"{taken} examinations were taken in, {len(rows) - taken} were already known"


def list_worklist(config: Config) -> list[str]:
    """Return a line for each examination that is still to do: when, modality, accession number, patient."""
    lines = []
    with kept(config) as store, store.database.reading() as db:
        since = store.chronicle.clock.now() - WORKLIST_REACHES_BACK
        for place in views.institutions(db):
            for one in scheduled(db, place.id, since=since):
                at = one.scheduled_at.astimezone(HOUSE_ZONE)
                lines.append(f"{at:%Y-%m-%d %H:%M}\t{place.name}\t{one.modality}\t{one.accession_number}\t{one.name}")
    return lines


def _examination(row: dict[str, str], institution_id: str) -> Examination:
    try:
        stated = datetime.fromisoformat((row["scheduled_at"] or "").strip())
    except ValueError:
        raise Invalid(f"{row['scheduled_at']!r} is no date and time: write 2026-03-02 09:30") from None
    at = stated if stated.tzinfo else stated.replace(tzinfo=HOUSE_ZONE)
    text = {column: (value or "").strip() for column, value in row.items() if isinstance(value, str | None)}
    return Examination(
        id=new_id(),
        institution_id=institution_id,
        accession_number=text["accession_number"],
        study_instance_uid=str(generate_uid(prefix=None)),
        patient_id=text["patient_id"],
        name=text["name"],
        sex=text.get("sex", ""),
        birth_date=_birth_date(text.get("birth_date", "")),
        modality=text["modality"],
        station_aet=text.get("station_aet", ""),
        description=text.get("description", ""),
        scheduled_at=at.astimezone(UTC),
        cancelled_at=None,
    )


def _birth_date(text: str) -> str:
    """Return a birth date as YYYYMMDD, an empty one as it is; Invalid for one that could be two days."""
    if not text:
        return ""
    plain = unicodedata.normalize("NFKC", text)  # Chinese keyboards write wide digits and marks
    found = next(filter(None, (form.fullmatch(plain) for form in _BIRTH_DATES)), None)
    if found is None:
        raise Invalid(
            f"the birth date {text[:40]!r} cannot be read for certain: write the year first, with four digits, "
            "as 1958-02-14, 1958/2/14, 1958.2.14, 1958年2月14日 or 19580214"
        )
    year, month, day = map(int, found.groups())
    return f"{year:04}{month:02}{day:02}"
