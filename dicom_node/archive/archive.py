"""Store, open: the row begins only when the bytes are safe on disk, and success is said only when the row is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dicom_node.archive.blobs import Blobs
from telemed.kernel.audit import Chronicle
from telemed.kernel.database import Database


@dataclass(frozen=True)
class Stored:
    """What became of one object.

    *new* is False when the same bytes were already kept (a re-send; nothing was written and no event told).
    *conflicting* is True when other content was already kept under this SOP Instance UID: both are kept, the first is shown.
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

    def store(self, data: bytes, *, institution: str, transfer_syntax_uid: str | None, source: str) -> Stored:
        """Keep one object, byte for byte, and return once it is durable.

        *data* is a bare data set encoded in *transfer_syntax_uid*, or a whole Part 10 file when that is None.

        Raises
        ------
        Invalid
            code "unreadable" (not DICOM, truncated) or "identifiers" (UIDs missing or malformed); nothing is kept.
        Unavailable
            code "out-of-space" or "database"; nothing is visible, the sender may try again.
        """
        raise NotImplementedError

    def file(self, institution: str, sop_instance_uid: str) -> Path:
        """Return the Part 10 file of an instance (read it, never write it), or raise NotFound."""
        raise NotImplementedError

    def read(self, institution: str, sop_instance_uid: str) -> bytes:
        """Return the bytes of the Part 10 file of an instance, or raise NotFound."""
        raise NotImplementedError
