"""Our errors in DICOM's words; with `web.problems` the only two such tables."""

from __future__ import annotations

from pydicom.dataset import Dataset

from telemed.kernel.errors import Conflict, Invalid, NotFound, Refused, TelemedError, Unavailable

SUCCESS = 0x0000
PROCESSING_FAILURE = 0x0110

#: PS3.4 Table B.2-1 and PS3.7 Annex C.
STATUSES: tuple[tuple[type[TelemedError], int], ...] = (
    (Invalid, 0xC000),
    (Unavailable, 0xA700),
    (Refused, 0x0124),
    (NotFound, 0x0112),
    (Conflict, PROCESSING_FAILURE),
)

_MAX_COMMENT = 64  # VR LO of (0000,0902), default character repertoire


def status_of(error: Exception) -> int:
    """Say *error* in DICOM's words."""
    return next((status for kind, status in STATUSES if isinstance(error, kind)), PROCESSING_FAILURE)


def response(status: int, comment: str = "") -> Dataset:
    """Return the status of a DIMSE response, with as much of *comment* as an Error Comment holds."""
    answer = Dataset()
    answer.Status = status
    if comment:
        answer.ErrorComment = comment.encode("ascii", "replace").decode()[:_MAX_COMMENT]
    return answer
