"""Store, open: the row begins only when the bytes are safe on disk, and success is said only when the row is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from dicom_node.archive import events, index
from dicom_node.archive.arrivals import Arrivals
from dicom_node.archive.blobs import Blob, Blobs
from dicom_node.archive.header import Header, read_header
from dicom_node.archive.indexing import Entered, Received, enter, is_referenced, kept_digests, known, present
from dicom_node.archive.part10 import preface, read_preface
from dicom_node.archive.profiles import profiles
from dicom_node.archive.rereading import as_written
from telemed.kernel.audit import AuditRecord, Chronicle
from telemed.kernel.database import Database
from telemed.kernel.errors import Unavailable


@dataclass(frozen=True)
class Stored:
    """What became of one object.

    *new* is False when the same bytes were already kept (a re-send; nothing was written and no event told).
    *conflicting* is True when other content was already kept under this SOP Instance UID: both are kept, the first is shown.
    *digest* is the sha256 of the kept Part 10 file.
    """

    institution: str
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    digest: str
    new: bool
    conflicting: bool


class Archive:
    """The objects of every institution: files in *blobs*, rows in *database*."""

    def __init__(self, database: Database, chronicle: Chronicle, blobs: Blobs) -> None:
        self._database = database
        self._chronicle = chronicle
        self._blobs = blobs
        self._arrivals = Arrivals()

    @property
    def blobs(self) -> Blobs:
        """Where the bytes lie."""
        return self._blobs

    @property
    def arrivals(self) -> Arrivals:
        """What is acknowledged and not yet to be found."""
        return self._arrivals

    def recover(self) -> int:
        """Undo the stores that a crash interrupted; return how many. Call it once, before the first store."""

        def referenced(digest: str) -> bool:
            with self._database.reading() as db:
                return is_referenced(db, digest)

        return self._blobs.recover(referenced)

    def store(
        self,
        data: bytes | memoryview,
        *,
        institution: str,
        transfer_syntax_uid: str | None,
        source: str,
    ) -> Stored:
        """Keep one object, byte for byte, and return once it is durable.

        *data* is a bare data set encoded in *transfer_syntax_uid*, or a whole Part 10 file when that is None.

        Raises
        ------
        Invalid
            code "unreadable" (not DICOM, truncated) or "identifiers" (UIDs missing or malformed); nothing is kept.
        Unavailable
            code "out-of-space" or "database"; nothing is visible, the sender may try again.
        """
        whole = memoryview(data)
        if transfer_syntax_uid is None:
            given = read_preface(whole)
            transfer_syntax_uid, bare = given.transfer_syntax_uid, whole[given.length :]
        else:
            bare = whole
        header = read_header(bare, transfer_syntax_uid)
        ours = preface(header.sop_class_uid, header.sop_instance_uid, transfer_syntax_uid)
        before = ours if len(bare) == len(whole) else b""
        canonical = hashlib.sha256(ours)
        canonical.update(bare)
        data_digest = canonical.hexdigest()
        try:
            with self._database.reading() as db:
                entered = known(db, institution, header, data_digest)
            if entered is None:
                with self._blobs.keeping((before, whole)) as blob:
                    entered = self._enter(institution, header, transfer_syntax_uid, blob, data_digest=data_digest, source=source)
        except Unavailable as error:
            if error.code:
                raise
            raise Unavailable(error.sentence, code="database") from error
        return Stored(
            institution=institution,
            study_instance_uid=entered.study_instance_uid,
            series_instance_uid=header.series_instance_uid,
            sop_instance_uid=header.sop_instance_uid,
            sop_class_uid=header.sop_class_uid,
            digest=entered.digest,
            new=entered.new,
            conflicting=entered.conflicting,
        )

    def _enter(self, institution: str, header: Header, syntax: str, blob: Blob, *, data_digest: str, source: str) -> Entered:
        at = self._chronicle.clock.now()
        received = Received(institution, header, syntax, blob.digest, data_digest, blob.size, source, at)
        [entered] = self.enter([received])
        return entered

    def enter(self, objects: Sequence[Received]) -> list[Entered]:
        """Write the rows of *objects* and tell the house, in one transaction; their bytes must be safe already."""
        with self._database.reading() as db:
            known_devices = profiles(db)
        objects = as_written(objects, known_devices, self._blobs)
        with self._database.transaction() as db:
            made = enter(db, objects)
            told: list[tuple[str, str, dict[str, Any]]] = []
            for received, entered in zip(objects, made, strict=True):
                if entered.conflicting and entered.new:
                    self._tell_conflict(db, received, entered)
                elif entered.new:
                    told += self._news(db, received, entered)
            self._chronicle.events.append_all(db, told)
        return made

    def present(self, objects: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """Return those of *objects*, each an institution and a SOP Instance UID, of which something is kept."""
        with self._database.reading() as db:
            return present(db, objects)

    def known(self, objects: Sequence[Received]) -> list[str | None]:
        """Return for each object the digest of the file that keeps its very bytes; None when they never came before."""
        with self._database.reading() as db:
            return kept_digests(db, objects)

    def _tell_conflict(self, db: Connection, received: Received, entered: Entered) -> None:
        told = events.instance_conflict(
            received.institution,
            entered.study_instance_uid,
            sop_instance_uid=received.header.sop_instance_uid,
            source=received.source,
        )
        self._chronicle.enter(
            db,
            events.INSTANCE_CONFLICT,
            entered.study_instance_uid,
            told,
            actor=received.source[:128],
            institution=received.institution,
            entity="Study",
        )

    def _news(self, db: Connection, received: Received, entered: Entered) -> Iterator[tuple[str, str, dict[str, Any]]]:
        institution, header, subject = received.institution, received.header, entered.study_instance_uid
        if entered.first_of_study:
            arrived = events.study_arrived(institution, subject, modality=header.modality, source=received.source)
            yield events.STUDY_ARRIVED, subject, arrived
            # PS3.15 A.5.3.7, DICOM Instances Transferred, is told per study, not per image
            record = AuditRecord(received.source[:128], events.STUDY_ARRIVED, "Study", subject, institution, detail=arrived)
            self._chronicle.trail.append(db, record)
        if entered.reopens_study:
            reopened = events.study_reopened(institution, subject, source=received.source, instance_count=entered.instance_count)
            yield events.STUDY_REOPENED, subject, reopened
            record = AuditRecord(received.source[:128], events.STUDY_REOPENED, "Study", subject, institution, detail=reopened)
            self._chronicle.trail.append(db, record)
        stored = events.instance_stored(
            institution,
            subject,
            series_instance_uid=header.series_instance_uid,
            sop_instance_uid=header.sop_instance_uid,
            sop_class_uid=header.sop_class_uid,
            modality=header.modality,
            instance_count=entered.instance_count,
        )
        yield events.INSTANCE_STORED, subject, stored

    def file(self, institution: str, sop_instance_uid: str) -> Path:
        """Return the Part 10 file of an instance (read it, never write it), or raise NotFound."""
        return self._blobs.path(self._digest(institution, sop_instance_uid))

    def read(self, institution: str, sop_instance_uid: str) -> bytes:
        """Return the bytes of the Part 10 file of an instance, or raise NotFound."""
        return self._blobs.read(self._digest(institution, sop_instance_uid))

    def _digest(self, institution: str, sop_instance_uid: str) -> str:
        with self._database.reading() as db:
            return index.instance(db, institution, sop_instance_uid).digest
