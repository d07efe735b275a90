"""STOW-RS: storing objects (PS3.18 section 10.5). Each is kept as it arrives; one bad object does not stop the others."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from dicom_node.archive.archive import Archive, Stored
from dicom_node.imaging.elements import DEFLATED, BytesSource, open_data_set, top_level, transfer_syntax_of
from telemed.kernel.confinement import Confinement
from telemed.kernel.errors import Conflict, Invalid, TelemedError, Unavailable
from web import keys
from web.accounts.permissions import Permission, require
from web.api.transact import off_loop
from web.deadlines import in_time
from web.dicomweb import described
from web.dicomweb.accept import parsed
from web.dicomweb.attributes import DicomJson
from web.dicomweb.described import Identifiers
from web.dicomweb.multipart import Event, Parser, PartBegun, PartData, PartEnded
from web.dicomweb.qido import DICOM_JSON
from web.dicomweb.reading import base_of
from web.security import viewer_of

DICOM = "application/dicom"
#: One object in memory at a time; larger ones come by C-STORE.
MAXIMUM_OBJECT_BYTES = 1 << 30
MAXIMUM_OBJECTS = 20_000
_CHUNK = 1 << 18

#: Failure Reason (0008,1197), PS3.18 section 10.5.3 and PS3.4 Table B.2-1.
OUT_OF_RESOURCES, ANOTHER_STUDY, CANNOT_UNDERSTAND, PROCESSING_FAILURE = 0xA700, 0xA900, 0xC000, 0x0110
#: Warning Reason (0008,1196): other content was already kept under this UID; both are, and the first is shown.
KEPT_BESIDE = 0xB006
_IDENTIFIERS = {0x00080016: "sop_class_uid", 0x00080018: "sop_instance_uid", 0x0020000D: "study_instance_uid"}


@dataclass(frozen=True)
class Refusal:
    """Why an object that came was not taken, in a sentence, and what it said it is."""

    sentence: str
    said: Identifiers = field(default_factory=Identifiers)


@dataclass
class Outcome:
    """What became of each object of one request."""

    stored: list[Stored] = field(default_factory=list)
    failed: list[tuple[Identifiers, int, str]] = field(default_factory=list)
    unavailable: Unavailable | None = None

    @property
    def count(self) -> int:
        """How many objects were met."""
        return len(self.stored) + len(self.failed)

    @property
    def status(self) -> int:
        """The HTTP status of PS3.18 Table 10.5.3-1."""
        if not self.stored:
            return 409
        return 202 if self.failed or any(one.conflicting for one in self.stored) else 200


def identifiers_of(data: bytes) -> Identifiers:
    """Read what the Part 10 file *data* says it is, as far as it can be read; confine it when it may be deflated."""
    found: dict[str, str] = {}
    try:
        _, source, offset, encoding = open_data_set(BytesSource(data))
        for element in top_level(source, offset, encoding):
            if element.tag in _IDENTIFIERS and element.length <= 64:
                value = source.at(element.offset, element.length).decode("ascii", "replace").strip("\0 ")
                found[_IDENTIFIERS[element.tag]] = "".join(one for one in value if one.isdigit() or one == ".")
            if element.tag >= 0x0020000D:
                break
    except Invalid:
        pass  # what is wrong with it is said by the archive, which looks closer
    return Identifiers(**found)


def _is_deflated(data: bytes) -> bool:
    try:
        return transfer_syntax_of(BytesSource(data[: 1 << 16]))[0] == DEFLATED
    except Invalid:
        return False


@dataclass(frozen=True)
class _Door:
    """Where objects of one request go."""

    archive: Archive
    confinement: Confinement
    institution: str
    source: str
    study: str | None

    def take(self, data: bytes, outcome: Outcome) -> None:
        """Store one object and note what became of it. Blocks."""
        try:
            said = self.confinement.run(identifiers_of, data) if _is_deflated(data) else identifiers_of(data)
        except TelemedError:
            said = Identifiers()
        try:
            if self.study is not None and said.study_instance_uid not in ("", self.study):
                sentence = "the object belongs to another study than the one it was sent to"
                outcome.failed.append((said, ANOTHER_STUDY, sentence))
                return
            kept = self.archive.store(data, institution=self.institution, transfer_syntax_uid=None, source=self.source)
            outcome.stored.append(kept)
        except Unavailable as error:
            outcome.unavailable = error
            outcome.failed.append((said, OUT_OF_RESOURCES, error.sentence))
        except Invalid as error:
            outcome.failed.append((said, CANNOT_UNDERSTAND, error.sentence))
        except Conflict as error:
            outcome.failed.append((said, PROCESSING_FAILURE, error.sentence))


async def store(request: web.Request) -> web.Response:
    """POST /studies or /studies/{study}: multipart/related of DICOM files or of metadata and bulk data, or one file.

    The viewer's institution becomes the holder. 200 when all were stored, 202 when some were (or with a warning), 409 when
    none was; each failure names its reason in words too, as Error Comment (0000,0902).
    """
    viewer = viewer_of(request)
    require(viewer, Permission.SEND_STUDIES)
    door = _Door(
        request.app[keys.ARCHIVE],
        request.app[keys.CONFINEMENT],
        viewer.institution_id,
        f"stow:{viewer.practitioner_id}",
        request.match_info.get("study"),
    )
    outcome = Outcome()
    async for one in _objects(request):
        if isinstance(one, Refusal):
            outcome.failed.append((one.said, CANNOT_UNDERSTAND, one.sentence))
        else:
            await off_loop(request, door.take, one, outcome)
        if outcome.count > MAXIMUM_OBJECTS:
            raise Invalid(f"one request may carry {MAXIMUM_OBJECTS} objects; send the rest in another", code="too-large")
    if not outcome.count:
        raise Invalid("the request carries no object; send DICOM files as parts of multipart/related", code="unparsable")
    if not outcome.stored and outcome.unavailable is not None:
        raise outcome.unavailable
    body = json.dumps(answer(outcome, base_of(request)), ensure_ascii=False).encode("utf-8", "replace")
    return web.Response(status=outcome.status, body=body, content_type=DICOM_JSON)


class _Gathering:
    """The part that is arriving: its bytes, or why it is not taken."""

    def __init__(self, media: str) -> None:
        self._data = bytearray()
        self._refusal = (
            ""
            if media.partition(";")[0].strip().lower() == DICOM
            else f"a part of type {media[:64]!r} is not taken, only {DICOM}"
        )

    def add(self, data: bytes) -> None:
        """Keep more of it, unless it is refused or becomes too large."""
        if not self._refusal and len(self._data) + len(data) > MAXIMUM_OBJECT_BYTES:
            self._refusal = f"the object is larger than {MAXIMUM_OBJECT_BYTES >> 20} MiB; send it by C-STORE"
            self._data = bytearray()
        if not self._refusal:
            self._data += data

    def whole(self) -> bytes | Refusal:
        """Return the object, or why it is not taken."""
        return Refusal(self._refusal) if self._refusal else bytes(self._data)


async def _objects(request: web.Request) -> AsyncIterator[bytes | Refusal]:
    """Yield each object as it is complete, or why it was not taken."""
    content = next(parsed(request.headers.get("Content-Type", "")), None)
    if content is not None and content.media == DICOM:
        gathering = _Gathering(DICOM)
        async for chunk in _chunks(request):
            gathering.add(chunk)
        yield gathering.whole()
    elif content is not None and content.multipart_type in (DICOM, "*/*"):
        async for part in _parts(request, Parser(content.parameters.get("boundary", ""))):
            yield part
    elif content is not None and content.multipart_type == DICOM_JSON:
        async for part in _described(request, Parser(content.parameters.get("boundary", ""))):
            yield part
    else:
        raise web.HTTPUnsupportedMediaType


async def _chunks(request: web.Request) -> AsyncIterator[bytes]:
    while chunk := await in_time(request.content.read(_CHUNK)):
        yield chunk


async def _events(request: web.Request, parser: Parser) -> AsyncIterator[Event]:
    async for chunk in _chunks(request):
        for event in parser.feed(chunk):
            yield event


async def _parts(request: web.Request, parser: Parser) -> AsyncIterator[bytes | Refusal]:
    gathering = _Gathering(DICOM)
    async for event in _events(request, parser):
        match event:
            case PartBegun(headers):
                gathering = _Gathering(headers.get("content-type", DICOM))
            case PartData(data):
                gathering.add(data)
            case PartEnded():
                yield gathering.whole()
    if not parser.finished:
        yield Refusal("the transfer ended before the closing boundary; what came before it was dealt with, send the rest again")


async def _described(request: web.Request, parser: Parser) -> AsyncIterator[bytes | Refusal]:
    metadata, bulk = await described.received(_events(request, parser))
    if not parser.finished:
        raise Invalid("the transfer ended before the closing boundary; send it again", code="unparsable")
    run = request.app[keys.CONFINEMENT].run
    for one in await off_loop(request, run, described.described, metadata):
        mine = {address: bulk[address] for address in one.addresses if address in bulk}
        try:
            yield await off_loop(request, run, described.assembled, one.metadata, mine)
        except Invalid as error:
            yield Refusal(error.sentence, one.said)


def answer(outcome: Outcome, base: str) -> DicomJson:
    """Return the Store Instances Response Module (PS3.18 Annex I.2) in the DICOM JSON Model."""
    found: DicomJson = {}
    studies = {one.study_instance_uid for one in outcome.stored}
    if len(studies) == 1:
        found["00081190"] = {"vr": "UR", "Value": [f"{base}/studies/{studies.pop()}"]}
    if outcome.failed:
        items = [
            _reference(said.sop_class_uid, said.sop_instance_uid)
            | {"00081197": {"vr": "US", "Value": [reason]}, "00000902": {"vr": "LO", "Value": [sentence]}}
            for said, reason, sentence in outcome.failed
        ]
        found["00081198"] = {"vr": "SQ", "Value": items}
    if outcome.stored:
        found["00081199"] = {"vr": "SQ", "Value": [_stored(one, base) for one in outcome.stored]}
    return found


def _reference(sop_class_uid: str, sop_instance_uid: str) -> dict[str, Any]:
    pairs = {"00081150": sop_class_uid, "00081155": sop_instance_uid}
    return {tag: {"vr": "UI", "Value": [uid]} if uid else {"vr": "UI"} for tag, uid in pairs.items()}


def _stored(one: Stored, base: str) -> dict[str, Any]:
    address = f"{base}/studies/{one.study_instance_uid}/series/{one.series_instance_uid}/instances/{one.sop_instance_uid}"
    item = _reference(one.sop_class_uid, one.sop_instance_uid) | {"00081190": {"vr": "UR", "Value": [address]}}
    if one.conflicting:
        sentence = "other content is already kept under this SOP Instance UID; both are kept, and the first is shown"
        item |= {"00081196": {"vr": "US", "Value": [KEPT_BESIDE]}, "00000902": {"vr": "LO", "Value": [sentence]}}
    return item
