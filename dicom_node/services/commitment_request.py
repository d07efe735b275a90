"""Storage commitment as SCU, PS3.4 Annex J: we ask a peer to answer for what we have sent it, and take its report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

from pydicom import config
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import generate_uid
from pynetdicom import build_context

from dicom_node.peers import NotTaken, Peer, associate
from dicom_node.services.exchange import Caller, Exchange, Service, Services
from dicom_node.services.identifier import items_of, read_small, text_of
from dicom_node.services.status import SUCCESS

#: PS3.4 J.3: the SOP class, and its one well-known instance.
PUSH_MODEL, PUSH_MODEL_INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"
#: PS3.7 Annex C: nobody here asked for what is reported.
INVALID_ARGUMENT = 0x0115
MOST_BYTES = 8 << 20

REFERENCED, FAILED, CLASS, INSTANCE, TRANSACTION = 0x00081199, 0x00081198, 0x00081150, 0x00081155, 0x00081195
_REASON = 0x00081197


@dataclass(frozen=True)
class Reference:
    """One instance, as a request or a report names it."""

    sop_class_uid: str
    sop_instance_uid: str

    @classmethod
    def of(cls, item: Dataset) -> Reference:
        """Read an item of a Referenced or Failed SOP Sequence."""
        return cls(text_of(item, CLASS, ()), text_of(item, INSTANCE, ()))

    def item(self) -> Dataset:
        """Return it as such an item; the UIDs as the peer wrote them, well-formed or not: it has to recognise them."""
        item = Dataset()
        item.add(uid(CLASS, self.sop_class_uid))
        item.add(uid(INSTANCE, self.sop_instance_uid))
        return item


@dataclass(frozen=True)
class Report:
    """What *ae_title* commits to, and what it does not, with the Failure Reason (PS3.3 C.14.1.1) in hexadecimal; by UID."""

    ae_title: str
    committed: frozenset[str]
    failed: Mapping[str, str]


#: Takes a report; tells whether anybody had asked for it.
Told = Callable[[Report], bool]


class Reports:
    """N-EVENT-REPORT, PS3.4 J.3.3, from whoever was asked."""

    sop_classes: ClassVar[tuple[str, ...]] = (PUSH_MODEL,)

    def __init__(self, told: Told) -> None:
        self._told = told

    def answer(self, exchange: Exchange) -> None:
        """Take the report, and say so."""
        information = read_small(exchange.received("EventInformation"), exchange.transfer_syntax, most=MOST_BYTES)
        committed = frozenset(Reference.of(item).sop_instance_uid for item in items_of(information, REFERENCED))
        failed = {
            Reference.of(item).sop_instance_uid: f"{int(text_of(item, _REASON, ()) or 0):04X}"
            for item in items_of(information, FAILED)
        }
        known = self._told(Report(exchange.caller.aet, committed - failed.keys(), failed))
        event = int(getattr(exchange.request, "EventTypeID", 0) or 0)
        fields: dict[str, int | str] = {"AffectedSOPInstanceUID": PUSH_MODEL_INSTANCE, "EventTypeID": event}
        exchange.answer(SUCCESS if known else INVALID_ARGUMENT, fields=fields)


def ask(peer: Peer, calling_aet: str, references: Iterable[Reference], reports: Service, heard: Callable[[], object]) -> None:
    """Ask *peer* to commit to *references*, and stay on the association until *heard* returns; *reports* takes the answer.

    Unavailable when the peer cannot be reached, NotTaken when it does not take the request.
    """
    information = Dataset()
    information.add(uid(TRANSACTION, generate_uid(prefix=None)))
    information.ReferencedSOPSequence = Sequence([reference.item() for reference in references])
    association = associate(peer, [build_context(PUSH_MODEL)], calling_aet)
    try:
        Services([reports]).attach(association, Caller(peer.aet, peer.host, ""))
        with suppress(RuntimeError, ValueError, AttributeError):
            status, _ = association.send_n_action(information, 1, PUSH_MODEL, PUSH_MODEL_INSTANCE)
            if "Status" in status and status.Status == SUCCESS:
                heard()
                return
        raise NotTaken(f"{peer} does not take requests for storage commitment", code="peer")
    finally:
        association.release()


def uid(tag: int, value: str) -> DataElement:
    """Return an element of a UID that is written as it is."""
    return DataElement(tag, "UI", value, validation_mode=config.IGNORE)
