"""The answer to an A-ASSOCIATE-RQ, made by pynetdicom's own PDUs and rules; the answer to the same bytes is made once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydicom.uid import UID
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
)
from pynetdicom.presentation import build_context, negotiate_as_acceptor, negotiate_unrestricted
from pynetdicom.sop_class import _STORAGE_CLASSES

from dicom_node.access import Reject
from dicom_node.archive.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicom_node.services.exchange import SYNTAXES
from dicom_node.services.verification import VERIFICATION
from dicom_node.upper_layer.messages import Malformed

_REMEMBERED = 256
#: What the receiving processes serve; whoever proposes anything else beside it is served elsewhere altogether.
_PLAIN = frozenset({VERIFICATION, *_STORAGE_CLASSES.values()})
_PLAIN_ITEMS = (MaximumLengthNotification, ImplementationClassUIDNotification, ImplementationVersionNameNotification)


@dataclass(frozen=True)
class Proposal:
    """A request that is not left to pynetdicom: who calls whom, the A-ASSOCIATE-AC for it, and its contexts' syntaxes.

    *asks* is whether it is served by `questions` instead of a receiving process; *maximum_pdu* is what the peer takes, 0 for
    any length.
    """

    calling_aet: str
    called_aet: str
    acceptance: bytes
    contexts: dict[int, str]
    asks: bool = False
    maximum_pdu: int = 0


class Negotiation:
    """Reads requests; *maximum_pdu* is what we tell the peer to send at most, *asked_by* the SOP classes of `questions`."""

    def __init__(self, maximum_pdu: int, asked_by: Iterable[str] = ()) -> None:
        self._maximum_pdu = maximum_pdu
        self._asked_by = frozenset(asked_by)
        self._remembered: OrderedDict[bytes, Proposal | None] = OrderedDict()
        self._changing = threading.Lock()

    def read(self, request: bytes) -> Proposal | None:
        """Return what we answer to *request* ourselves; None when it is for pynetdicom.

        Raises
        ------
        Malformed
            when it cannot be understood: pynetdicom's thread would end over it, and leave the connection open.
        """
        with self._changing:
            if request in self._remembered:
                self._remembered.move_to_end(request)
                return self._remembered[request]
        try:
            proposal = self._negotiate(request)
        except Exception as error:  # pynetdicom raises whatever a stranger's bytes provoke
            raise Malformed(f"an association request that cannot be understood: {error}") from error
        with self._changing:
            self._remembered[request] = proposal
            if len(self._remembered) > _REMEMBERED:
                self._remembered.popitem(last=False)
        return proposal

    def _negotiate(self, request: bytes) -> Proposal | None:
        pdu = A_ASSOCIATE_RQ()
        pdu.decode(request)
        primitive: Any = pdu.to_primitive()
        proposed = primitive.presentation_context_definition_list
        if not proposed or not all(isinstance(item, _PLAIN_ITEMS) for item in primitive.user_information):
            return None  # roles, extended negotiation, user identity: pynetdicom knows them
        classes = {context.abstract_syntax for context in proposed}
        asks = bool(classes & self._asked_by) and classes <= self._asked_by | {VERIFICATION}
        if asks:
            known = [build_context(uid, list(SYNTAXES)) for uid in (VERIFICATION, *self._asked_by)]
            agreed, _ = negotiate_as_acceptor(proposed, known, {})
        elif classes <= _PLAIN:
            agreed, _ = negotiate_unrestricted(proposed, [build_context(VERIFICATION)], {})
        else:
            return None
        return Proposal(
            calling_aet=str(primitive.calling_ae_title).strip(),
            called_aet=str(primitive.called_ae_title).strip(),
            acceptance=self._acceptance(primitive, agreed),
            contexts={int(one.context_id or 0): str(one.transfer_syntax[0]) for one in agreed if one.result == 0},
            asks=asks,
            maximum_pdu=int(primitive.maximum_length_received or 0),
        )

    def _acceptance(self, request: Any, agreed: list[Any]) -> bytes:  # noqa: ANN401 - pynetdicom's, untyped
        answer: Any = A_ASSOCIATE()
        answer.application_context_name = "1.2.840.10008.3.1.1.1"
        answer.calling_ae_title, answer.called_ae_title = request.calling_ae_title, request.called_ae_title
        answer.result, answer.result_source = 0, 1
        answer.presentation_context_definition_results_list = agreed
        length, class_uid, version = (
            MaximumLengthNotification(), ImplementationClassUIDNotification(), ImplementationVersionNameNotification(),
        )  # fmt: skip
        length.maximum_length_received = self._maximum_pdu
        class_uid.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
        version.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        answer.user_information = [length, class_uid, version]
        pdu: Any = A_ASSOCIATE_AC()
        pdu.from_primitive(answer)
        return bytes(pdu.encode())


def rejection(reject: Reject) -> bytes:
    """Return the A-ASSOCIATE-RJ that says *reject*."""
    primitive: Any = A_ASSOCIATE()
    primitive.result, primitive.result_source, primitive.diagnostic = reject.value
    pdu: Any = A_ASSOCIATE_RJ()
    pdu.from_primitive(primitive)
    return bytes(pdu.encode())
