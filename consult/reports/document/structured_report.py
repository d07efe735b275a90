"""A signed version as an Enhanced SR after TID 2000, Basic Diagnostic Imaging Report (PS3.16), verified by its signer.

Who read before the signer, a region, as the first of two or in training, stands among its authors and participants (PS3.3
C.17.2.5) and, in words, in its content.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from pydicom.dataset import Dataset

from consult.practitioners.model import Person
from consult.queue.model import Stage
from consult.reports.document.composite import (
    ENHANCED_SR,
    Code,
    Context,
    Source,
    coded,
    header,
    in_their_series,
    long_text,
    moment,
    person,
    put,
    referenced,
    title_of,
    written,
)
from consult.reports.document.wording import REPLACES, RESPONSIBILITY, earlier, local, reason_of
from consult.reports.model import Addendum, Report, ReportStatus

LANGUAGE: Code = ("121049", "DCM", "Language of Content Item and Descendants")
COUNTRY: Code = ("121046", "DCM", "Country of Language")
OBSERVER_TYPE: Code = ("121005", "DCM", "Observer Type")
OBSERVER_NAME: Code = ("121008", "DCM", "Person Observer Name")
OBSERVER_ORGANIZATION: Code = ("121009", "DCM", "Person Observer's Organization Name")
PROCEDURE_REPORTED: Code = ("121058", "DCM", "Procedure Reported")
COMMENT: Code = ("121106", "DCM", "Comment")
SOURCE_OF: Code = ("121112", "DCM", "Source of Measurement")
BEST_ILLUSTRATION: Code = ("121080", "DCM", "Best illustration of finding")
KEY_IMAGES: Code = ("55113-5", "LN", "Key Images")
ADDENDUM: Code = ("55107-7", "LN", "Addendum")
CRITICAL: Code = ("73568-8", "LN", "Communication of Critical Results")

#: How an item is related to what tells who observed it.
CONTEXT_OF = "HAS OBS CONTEXT"

#: What is reported, by its modality (0008,0060); *ANY* where several were used, or one that is not here.
PROCEDURES: Mapping[str, Code] = {
    "CT": ("77477000", "SCT", "Computed tomography"),
    "MR": ("113091000", "SCT", "Magnetic resonance imaging"),
    "US": ("16310003", "SCT", "Ultrasonography"),
    "ECG": ("29303009", "SCT", "Electrocardiographic procedure"),
    **dict.fromkeys(("CR", "DX", "RF", "IO", "PX"), ("168537006", "SCT", "Plain radiography")),
    "MG": ("71651007", "SCT", "Mammography"),
}
ANY: Code = ("363679005", "SCT", "Imaging")
#: Waveforms share this beginning of their SOP classes (PS3.6 A).
_WAVEFORMS = "1.2.840.10008.5.1.4.1.1.9."


def write_structured_report(report: Report, context: Context, before: Sequence[Source]) -> bytes:
    """Return the report as a Part 10 file; *before* are the structured reports of the versions it replaces."""
    made = header(report, context, ENHANCED_SR, modality="SR", number=9001, description="Diagnostic report")
    made.CompletionFlag, made.VerificationFlag, made.PreliminaryFlag = "COMPLETE", "VERIFIED", "FINAL"
    made.VerifyingObserverSequence = [_observer(report, context)]
    made.AuthorObserverSequence = list(_authors(report))
    if participants := list(_participants(report, context)):
        made.ParticipantSequence = participants
    made.ReferencedRequestSequence = [_request(context)]
    made.ReferencedPerformedProcedureStepSequence, made.PerformedProcedureCodeSequence = [], []
    made.CurrentRequestedProcedureEvidenceSequence = [in_their_series(report.study_instance_uid, context.sources)]
    if before:
        made.PredecessorDocumentsSequence = [in_their_series(report.study_instance_uid, before)]
    root = _container(title_of(report), _content(report, context), template="2000")
    made.update(root)
    return written(made)


def _observer(report: Report, context: Context) -> Dataset:
    observer = Dataset()
    observer.VerifyingOrganization = long_text(report.performer.name)
    observer.VerificationDateTime = moment(report.signed_at, context)
    observer.VerifyingObserverName = person(report.signed_by.name)
    observer.VerifyingObserverIdentificationCodeSequence = []
    return observer


def _authors(report: Report) -> Iterator[Dataset]:
    """Yield who wrote what it says, each once: its text, a part of it, its addenda, and who withdrew it."""
    withdrew = [report.signed_by] if report.status is ReportStatus.CANCELLED else []
    ours = dict.fromkeys([report.text_by, *(one.by for one in report.addenda), *withdrew])
    yield from (_person(by, report.performer.name) for by in ours)
    if not _is_blind(report):
        parts = dict.fromkeys(one.by for one in report.readings if one.by not in ours)
        yield from (_person(by, "") for by in parts)


def _is_blind(report: Report) -> bool:
    """Tell whether the readings before the signer's were made blind: then which of them the text follows is not in the report."""
    return any(one.stage is Stage.SECOND for one in report.readings)


def _participants(report: Report, context: Context) -> Iterator[Dataset]:
    """Yield who read before the signer (PS3.3 C.17.2.5).

    Whoever signed what became a part of the text attests to it, which its verifier does not do a second time; a blind reading
    is a source of the report.
    """
    for one in report.readings:
        role = "SOURCE" if _is_blind(report) else "ATTEST"
        if role == "SOURCE" or one.by.id != report.signed_by.id:
            participant = _person(one.by, "")
            participant.ParticipationType, participant.ParticipationDateTime = role, moment(one.signed_at, context)
            yield participant


def _person(who: Person, institution: str) -> Dataset:
    """Return *who* as the Identified Person or Device Macro does; *institution* is empty where it was not kept."""
    item = Dataset()
    item.ObserverType, item.PersonName = "PSN", person(who.name)
    item.InstitutionName, item.InstitutionCodeSequence = long_text(institution), []
    item.PersonIdentificationCodeSequence = []
    return item


def _request(context: Context) -> Dataset:
    request = Dataset()
    put(request, StudyInstanceUID=context.study.study_instance_uid, AccessionNumber=context.study.accession_number)
    request.ReferencedStudySequence, request.RequestedProcedureCodeSequence = [], []
    request.PlacerOrderNumberImagingServiceRequest = request.FillerOrderNumberImagingServiceRequest = ""
    request.RequestedProcedureID = request.RequestedProcedureDescription = ""
    return request


def _content(report: Report, context: Context) -> Iterator[Dataset]:
    """Yield the content of TID 2000 in its order; of a cancelled report none of what it found, only that it is withdrawn."""
    language = _code(LANGUAGE, ("zh", "RFC5646", "Chinese"), relation="HAS CONCEPT MOD")
    language.ContentSequence = [_code(COUNTRY, ("CN", "ISO3166_1", "China"), relation="HAS CONCEPT MOD")]
    yield language
    withdrawn = report.status is ReportStatus.CANCELLED
    yield from _observed(report.signed_by if withdrawn else report.text_by)
    yield _text(OBSERVER_ORGANIZATION, report.performer.name, relation=CONTEXT_OF)
    yield _code(PROCEDURE_REPORTED, _procedure(report), relation="HAS CONCEPT MOD")
    if withdrawn:
        yield _container(ADDENDUM, [_text(COMMENT, _why(report))])
        return
    if report.critical:
        yield _container(CRITICAL, [_text(COMMENT, _repeated(report))])
    yield _container(("59776-5", "LN", "Findings"), [_text(("121071", "DCM", "Finding"), report.findings)])
    impression = _text(("121073", "DCM", "Impression"), report.impression)
    yield _container(("19005-8", "LN", "Impressions"), [impression])
    if chosen := list(_key_images(report, context)):
        yield _container(KEY_IMAGES, chosen)
    yield from (_text(COMMENT, earlier(one)) for one in report.readings)
    yield _text(COMMENT, RESPONSIBILITY[report.kind])
    for addendum in report.addenda:
        yield _added(addendum, context)
    if report.reason:
        yield _container(ADDENDUM, [_text(COMMENT, _why(report))])


def _observed(by: Person) -> Iterator[Dataset]:
    """Yield who says what stands beside it (PS3.16 TID 1003)."""
    yield _code(OBSERVER_TYPE, ("121006", "DCM", "Person"), relation=CONTEXT_OF)
    name = _item(CONTEXT_OF, "PNAME", OBSERVER_NAME)
    name.PersonName = person(by.name)
    yield name


def _added(addendum: Addendum, context: Context) -> Dataset:
    item = _container(ADDENDUM, [*_observed(addendum.by), _text(COMMENT, addendum.text)])
    item.ObservationDateTime = moment(addendum.at, context)
    return item


def _why(report: Report) -> str:
    return f"{REPLACES[report.status]}　原因 Reason: {reason_of(report)}"


def _procedure(report: Report) -> Code:
    return PROCEDURES.get(report.modalities[0], ANY) if len(report.modalities) == 1 else ANY


def _repeated(report: Report) -> str:
    said = report.read_back
    words = f"；已复述 Read back: {said.words} ({said.by.name}, {local(said.at)})" if said else ""
    return f"危急值 Critical value{words}"


def _key_images(report: Report, context: Context) -> Iterator[Dataset]:
    classes = {one.sop_instance_uid: one.sop_class_uid for one in context.sources}
    for image in report.key_images:
        sop_class_uid = classes.get(image.sop_instance_uid)
        if sop_class_uid is None:  # what the archive holds no more cannot be referred to
            continue
        is_waveform = sop_class_uid.startswith(_WAVEFORMS)
        item = _item("CONTAINS", *(("WAVEFORM", SOURCE_OF) if is_waveform else ("IMAGE", BEST_ILLUSTRATION)))
        item.ReferencedSOPSequence = [referenced(sop_class_uid, image.sop_instance_uid)]
        if image.frame > 1:
            item.ReferencedSOPSequence[0].ReferencedFrameNumber = image.frame
        yield item


def _item(relation: str, kind: str, concept: Code) -> Dataset:
    item = Dataset()
    if relation:
        item.RelationshipType = relation
    item.ValueType, item.ConceptNameCodeSequence = kind, [coded(concept)]
    return item


def _container(concept: Code, children: Iterable[Dataset], *, template: str = "") -> Dataset:
    item = _item("" if template else "CONTAINS", "CONTAINER", concept)
    item.ContinuityOfContent, item.ContentSequence = "SEPARATE", list(children)
    if template:
        followed = Dataset()
        followed.MappingResource, followed.TemplateIdentifier = "DCMR", template
        item.ContentTemplateSequence = [followed]
    return item


def _code(concept: Code, value: Code, *, relation: str) -> Dataset:
    item = _item(relation, "CODE", concept)
    item.ConceptCodeSequence = [coded(value)]
    return item


def _text(concept: Code, value: str, *, relation: str = "CONTAINS") -> Dataset:
    item = _item(relation, "TEXT", concept)
    item.TextValue = value
    return item
