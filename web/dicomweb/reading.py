"""Between a request and the objects it names: may this viewer, what is there, where is the file; and the audit record."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from aiohttp import web
from sqlalchemy import Connection, bindparam, select

from consult.access import may_read_study, withheld_of
from consult.practitioners.model import Viewer
from dicom_node.archive.archive import Archive
from dicom_node.archive.index import Instance, instance_from
from dicom_node.archive.tables import WRITTEN_HERE, instance_table, series_table, study_table
from dicom_node.imaging.cache import RecentlyUsed
from telemed.kernel.audit import AuditRecord, Chronicle
from telemed.kernel.confinement import Confinement
from telemed.kernel.database import Database
from telemed.kernel.errors import Invalid, NotFound
from web import keys
from web.accounts.permissions import Permission, require
from web.api.transact import off_loop
from web.dicomweb.dicom_json import metadata_of
from web.security import SIGNED_IN, viewer_of

log = logging.getLogger(__name__)

#: Stands in kept metadata where each answer puts its own bulk data address; long enough to be in no value by chance.
_BULK = "{b53d1c0e7f3f4d0b9a0c6c1d6f2e8a47}"
_PARSED_TOGETHER = 12
#: How long a viewer's right to a study is believed on PostgreSQL; on SQLite, as long as nothing was committed at all.
GRANTED_S = 2


@dataclass(frozen=True)
class Names:
    """The UIDs of a request's path; None where the path names no level."""

    study: str
    series: str | None
    instance: str | None


@dataclass(frozen=True)
class Kept:
    """One instance, the series it is in, and its Part 10 file."""

    instance: Instance
    series_instance_uid: str
    path: Path


class Reader:
    """The retrieving side of DICOMweb. Every method but `remembered` blocks; call it off the loop."""

    def __init__(self, database: Database, archive: Archive, chronicle: Chronicle, confinement: Confinement) -> None:
        self._confinement = confinement
        self._database = database
        self._archive = archive
        self._chronicle = chronicle
        self._metadata: RecentlyUsed[bytes] = RecentlyUsed(64 << 20)
        self._granted: RecentlyUsed[tuple[int, str]] = RecentlyUsed(2_000)
        self._instances: RecentlyUsed[tuple[Instance, str]] = RecentlyUsed(50_000)
        self._audited: RecentlyUsed[bool] = RecentlyUsed(10_000)
        self._auditing = threading.Lock()

    def kept(self, viewer: Viewer, session: str, names: Names) -> list[Kept]:
        """Return the instances *names* covers, by series and number, and see that the reading is in the audit trail.

        Raises
        ------
        NotFound
            when nothing of that name is there, or not for *viewer*: the two look the same.
        """
        moment = self._moment()
        with self._database.reading() as db:
            institution = may_read_study(db, viewer, names.study)
            hidden = withheld_of(db, viewer, institution, names.study)
            found = [one for one in _instances(db, institution, names) if one[0].sop_instance_uid not in hidden]
        self._granted.put((viewer, names.study), (moment, institution), 1)
        for instance, series in found:
            known = Names(names.study, series, instance.sop_instance_uid)
            self._instances.put((institution, known), (instance, series), 1)
        if not found:
            raise NotFound("there is no such study, series or object here", code="study")
        self._audit(viewer, session, institution, names.study)
        return [self._kept(instance, series) for instance, series in found]

    def remembered(self, viewer: Viewer, session: str, names: Names) -> list[Kept] | None:
        """Return one instance as `kept` does, of a study that it granted a moment ago; None when it has to be asked.

        Nothing is waited for: what has to be looked up is looked up at a glance.
        """
        institution = self._holder(viewer, names.study)
        if institution is None or not self._audited.get(self._audit_key(viewer, session, institution, names.study)):
            return None
        known = self._instances.get((institution, names)) or self._glanced(institution, names)
        if known is None or known[0].source == WRITTEN_HERE:  # may be withheld
            return None
        return [self._kept(*known)]

    def _kept(self, instance: Instance, series_instance_uid: str) -> Kept:
        return Kept(instance, series_instance_uid, self._archive.blobs.path(instance.digest))

    def _glanced(self, institution: str, names: Names) -> tuple[Instance, str] | None:
        if names.instance is None or not self._database.is_sqlite:
            return None
        with self._database.glancing() as db:
            found = next(iter(_instances(db, institution, names)), None)
        if found is not None:
            self._instances.put((institution, names), found, 1)
        return found

    def _holder(self, viewer: Viewer, study_instance_uid: str) -> str | None:
        """Return who holds the study that *viewer* was granted, where the grant holds still; a row of the index never changes."""
        known = self._granted.get((viewer, study_instance_uid))
        if known is None:
            return None
        moment = self._moment()
        if known[0] == moment:
            return known[1]
        if not self._database.is_sqlite:
            return None
        try:
            with self._database.glancing() as db:
                holder = may_read_study(db, viewer, study_instance_uid)
        except NotFound:
            return None
        self._granted.put((viewer, study_instance_uid), (moment, holder), 1)
        return holder

    def _moment(self) -> int:
        """Return a number that is the same while nothing was committed, or for at most GRANTED_S seconds."""
        version = self._database.version()
        return int(time.monotonic() // GRANTED_S) if version is None else version

    def _audit(self, viewer: Viewer, session: str, holder: str, study_instance_uid: str) -> None:
        """Record that *viewer* reads the study: once a minute, not once a frame. Without the record, no reading."""
        key = self._audit_key(viewer, session, holder, study_instance_uid)
        if self._audited.get(key):
            return
        with self._auditing:
            if self._audited.get(key):
                return
            record = AuditRecord(
                actor=viewer.practitioner_id,
                action="StudyRead",
                entity="Study",
                entity_id=study_instance_uid,
                institution=viewer.institution_id,
                detail={"holder": holder, "door": "dicomweb"},
            )
            with self._database.transaction() as db:
                self._chronicle.trail.append(db, record)
            self._audited.put(key, value=True, weight=1)

    def _audit_key(self, viewer: Viewer, session: str, holder: str, study_instance_uid: str) -> tuple[object, ...]:
        minute = int(self._chronicle.clock.now().timestamp()) // 60
        return viewer.practitioner_id, session, holder, study_instance_uid, minute

    def metadata(self, found: Sequence[Kept], study_instance_uid: str, base: str) -> list[bytes]:
        """Return the JSON text of each instance's metadata; one that cannot be read is left out."""
        texts = {one.instance.digest: self._metadata.get(one.instance.digest) for one in found}
        missing = [one for one in found if texts[one.instance.digest] is None]
        for start in range(0, len(missing), _PARSED_TOGETHER):
            for one, parsed in self._parsed(missing[start : start + _PARSED_TOGETHER]):
                texts[one.instance.digest] = parsed
                self._metadata.put(one.instance.digest, parsed, len(parsed) + 100)
        answers = []
        for one in found:
            if text := texts[one.instance.digest]:
                address = f"{address_of(base, study_instance_uid, one)}/bulkdata/"
                answers.append(text.replace(_BULK.encode(), address.encode()))
        return answers

    def _parsed(self, together: Sequence[Kept]) -> list[tuple[Kept, bytes]]:
        """Parse files in one confined call; when that is cut off, one by one, so that one bad file hides no other.

        Text is empty for a file that cannot be read; that too is remembered, for asking again would cost as much.
        """
        try:
            texts = self._confinement.run(metadata_of, [one.path for one in together], _BULK)
        except Invalid as error:
            if len(together) > 1:
                return [pair for one in together for pair in self._parsed([one])]
            log.warning("object %s has no readable metadata: %s", together[0].instance.digest, error.sentence)
            texts = [None]
        return [(one, text or b"") for one, text in zip(together, texts, strict=True)]


def address_of(base: str, study_instance_uid: str, one: Kept) -> str:
    """Return the address of an instance below the service's *base*."""
    return f"{base}/studies/{study_instance_uid}/series/{one.series_instance_uid}/instances/{one.instance.sop_instance_uid}"


_BELOW_STUDY = (
    select(*instance_table.c, series_table.c.series_instance_uid.label("of_series"))
    .join(series_table, series_table.c.id == instance_table.c.series_id)
    .join(study_table, study_table.c.id == series_table.c.study_id)
    .where(study_table.c.institution == bindparam("institution"), study_table.c.study_instance_uid == bindparam("study"))
    .order_by(
        series_table.c.number, series_table.c.series_instance_uid, instance_table.c.number, instance_table.c.sop_instance_uid
    )
)
_BELOW_SERIES = _BELOW_STUDY.where(series_table.c.series_instance_uid == bindparam("series"))
_ALONE = _BELOW_SERIES.where(instance_table.c.sop_instance_uid == bindparam("instance"))


def _instances(db: Connection, institution: str, names: Names) -> list[tuple[Instance, str]]:
    query = _BELOW_STUDY if names.series is None else _BELOW_SERIES if names.instance is None else _ALONE
    rows = db.execute(query, {"institution": institution, **asdict(names)}).mappings()
    return [(instance_from(row), row["of_series"]) for row in rows]


READER = web.AppKey("dicomweb_reader", Reader)


def names_of(request: web.Request) -> Names:
    """Return the UIDs of the request's path."""
    path = request.match_info
    return Names(path["study"], path.get("series"), path.get("instance"))


async def kept(request: web.Request) -> list[Kept]:
    """Return what the request's path names, for its viewer (see `Reader.kept`)."""
    viewer = viewer_of(request)
    require(viewer, Permission.READ_STUDIES)
    reader, session, names = request.app[READER], request[SIGNED_IN].digest, names_of(request)
    found = reader.remembered(viewer, session, names)
    return await off_loop(request, reader.kept, viewer, session, names) if found is None else found


def base_of(request: web.Request) -> str:
    """Return the address of this service as the client reaches it."""
    origin = request.app[keys.SITE].origin or f"{request.scheme}://{request.host}"
    return f"{origin}/dicom-web"
