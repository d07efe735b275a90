"""The Storage service class, PS3.4 Annex B: success is answered once the object is durable, and never before."""

from __future__ import annotations

import logging
from io import BytesIO
from typing import Any

from pydicom.dataset import Dataset

from dicom_node.archive.archive import Archive
from dicom_node.services.status import PROCESSING_FAILURE, SUCCESS, status_of
from telemed.kernel.errors import TelemedError

log = logging.getLogger(__name__)

_MAX_COMMENT = 64  # VR LO of (0000,0902), default character repertoire


def store(archive: Archive, request: Any, *, institution: str, transfer_syntax_uid: str, source: str) -> Dataset:  # noqa: ANN401 - pynetdicom's C_STORE, untyped
    """Answer a C-STORE; *source* is the calling AE title.

    The data set is handed on as the bytes that came: it is neither decoded nor copied here. It is filed under its own
    UIDs: senders that announce those of a stale file header are common, and their objects are good.
    """
    try:
        data = request.DataSet or BytesIO()
        with data.getbuffer() as received:
            archive.store(
                received,
                institution=institution,
                transfer_syntax_uid=transfer_syntax_uid,
                source=source,
            )
    except TelemedError as error:
        log.warning("an object from %s was not stored: %s", source, error.sentence)
        return _response(status_of(error), error.sentence)
    except Exception:
        log.exception("storing an object from %s failed", source)
        return _response(PROCESSING_FAILURE, "the server failed to store the object; its log says why")
    return _response(SUCCESS)


def _response(status: int, comment: str = "") -> Dataset:
    """Return the status of a DIMSE response, with as much of *comment* as an Error Comment holds."""
    answer = Dataset()
    answer.Status = status
    if comment:
        answer.ErrorComment = comment.encode("ascii", "replace").decode()[:_MAX_COMMENT]
    return answer
