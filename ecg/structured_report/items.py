"""Content items of a structured report (PS3.3 C.17.3), each a data set."""

from collections.abc import Iterable
from datetime import UTC, datetime

from pydicom.dataset import Dataset

from ecg.structured_report.codes import FAILED, SOURCE, Code

#: A code value is a SH; a longer one goes into an attribute of its own (PS3.3 8.1).
LONGEST_CODE, LONGEST_MEANING = 16, 64
#: Schemes whose codes are not told apart without their version.
VERSIONS = {"SCPECG": "1.3"}


def coded(code: Code) -> Dataset:
    """Return *code* as the item of a code sequence."""
    value, scheme, meaning = code
    item = Dataset()
    setattr(item, "CodeValue" if len(value) <= LONGEST_CODE else "LongCodeValue", value)
    item.CodingSchemeDesignator, item.CodeMeaning = scheme, meaning[:LONGEST_MEANING]
    if scheme in VERSIONS:
        item.CodingSchemeVersion = VERSIONS[scheme]
    return item


def _item(relation: str, kind: str, concept: Code, children: Iterable[Dataset] = ()) -> Dataset:
    item = Dataset()
    if relation:
        item.RelationshipType = relation
    item.ValueType = kind
    item.ConceptNameCodeSequence = [coded(concept)]
    if content := list(children):
        item.ContentSequence = content
    return item


def container(concept: Code, children: Iterable[Dataset], *, template: str = "", relation: str = "CONTAINS") -> Dataset:
    """Return a CONTAINER; *template* is its number in PS3.16 where it follows one. The root has no *relation*."""
    item = _item(relation, "CONTAINER", concept, children)
    item.ContinuityOfContent = "SEPARATE"
    if template:
        followed = Dataset()
        followed.MappingResource, followed.TemplateIdentifier = "DCMR", template
        item.ContentTemplateSequence = [followed]
    return item


def code(concept: Code, value: Code, children: Iterable[Dataset] = (), *, relation: str = "CONTAINS") -> Dataset:
    """Return a CODE."""
    item = _item(relation, "CODE", concept, children)
    item.ConceptCodeSequence = [coded(value)]
    return item


def text(concept: Code, value: str, *, relation: str = "CONTAINS") -> Dataset:
    """Return a TEXT."""
    item = _item(relation, "TEXT", concept)
    item.TextValue = value
    return item


def uid(concept: Code, value: str, *, relation: str = "CONTAINS") -> Dataset:
    """Return a UIDREF."""
    item = _item(relation, "UIDREF", concept)
    item.UID = value
    return item


def moment(concept: Code, at: datetime) -> Dataset:
    """Return a DATETIME in UTC, the zone that the report's Timezone Offset From UTC names; *at* must be aware."""
    item = _item("CONTAINS", "DATETIME", concept)
    item.DateTime = f"{at.astimezone(UTC):%Y%m%d%H%M%S}"
    return item


def number(concept: Code, value: float | None, unit: Code, children: Iterable[Dataset] = ()) -> Dataset:
    """Return a NUM; without a *value* it says that measuring failed (PS3.3 C.18.1)."""
    item = _item("CONTAINS", "NUM", concept, children)
    item.MeasuredValueSequence = []
    if value is None:
        item.NumericValueQualifierCodeSequence = [coded(FAILED)]
    else:
        measured = Dataset()
        measured.NumericValue = f"{value:g}"
        measured.MeasurementUnitsCodeSequence = [coded(unit)]
        item.MeasuredValueSequence = [measured]
    return item


def waveform(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    """Return the WAVEFORM that was measured."""
    item = _item("CONTAINS", "WAVEFORM", SOURCE)
    referenced = Dataset()
    referenced.ReferencedSOPClassUID, referenced.ReferencedSOPInstanceUID = sop_class_uid, sop_instance_uid
    item.ReferencedSOPSequence = [referenced]
    return item
