"""常用语: the templates and macros a report is written with; kept by a person, by their hospital, or built in."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from sqlalchemy import Connection

from consult.phrases import actions, views
from consult.phrases.model import (
    LONGEST_ABBREVIATION,
    LONGEST_NAME,
    LONGEST_TEXT,
    MOST_TAGS,
    Phrase,
    PhraseKind,
    PhraseVersion,
    PhraseWording,
    Region,
)
from consult.phrases.views import PhraseOffer
from consult.practitioners.model import Viewer
from consult.requests.model import Lane
from telemed.kernel.errors import NotFound
from web.accounts.permissions import Permission
from web.api.operations import Call, Given, Operation
from web.api.pages import Page


class LanguageQuery(Given):
    """In which language what is built in is worded."""

    language: Literal["zh", "en"] = "zh"


class GivenWording(Given):
    """What a phrase says: findings and impression of a template, abbreviation and text of a macro."""

    name: str = Field(max_length=LONGEST_NAME)
    abbreviation: str = Field(default="", max_length=LONGEST_ABBREVIATION)
    text: str = Field(default="", max_length=LONGEST_TEXT)
    findings: str = Field(default="", max_length=LONGEST_TEXT)
    impression: str = Field(default="", max_length=LONGEST_TEXT)
    modalities: tuple[str, ...] = Field(default=(), max_length=MOST_TAGS)
    regions: tuple[Region, ...] = Field(default=(), max_length=MOST_TAGS)
    lanes: tuple[Lane, ...] = Field(default=(), max_length=MOST_TAGS)

    def as_wording(self) -> PhraseWording:
        """Return it as the phrase's own value."""
        return PhraseWording(**{name: getattr(self, name) for name in GivenWording.model_fields})


class NewPhrase(Given):
    """A phrase to be kept, *shared* with one's hospital or one's own; *based_on* names what it was copied from."""

    kind: PhraseKind
    wording: GivenWording
    shared: bool = False
    based_on: str | None = Field(default=None, max_length=32)


class ChangedPhrase(Given):
    """What a phrase says from now on; *version* is the one it was changed from."""

    wording: GivenWording
    version: int | None = Field(default=None, ge=1)


class WantedVersion(Given):
    """A version that a phrase had."""

    version: int = Field(ge=1)


async def list_phrases(call: Call[LanguageQuery, None]) -> Page[Phrase]:
    """List one's own phrases, one's hospital's and what is built in; the removed ones with the moment they were."""
    return Page(await call.view(views.phrases, call.viewer, call.query.language))


async def offered_phrases(call: Call[LanguageQuery, None]) -> PhraseOffer:
    """Return the templates that fit a task, the best first, the others, and the macros."""
    return await call.view(views.offered, call.viewer, call.part("task_id"), call.query.language)


async def add_phrase(call: Call[None, NewPhrase]) -> Phrase:
    """Keep a phrase."""
    asked = call.body
    wording = asked.wording.as_wording()
    id_ = await call.act(actions.add, asked.kind, wording, shared=asked.shared, based_on=asked.based_on, by=call.viewer)
    return await call.view(_one, call.viewer, id_)


async def change_phrase(call: Call[None, ChangedPhrase]) -> Phrase:
    """Let a phrase say something else; what it said stays as a version. 409 where it was changed meanwhile."""
    phrase_id, asked = call.part("phrase_id"), call.body
    await call.act(actions.change, phrase_id, asked.wording.as_wording(), asked.version, by=call.viewer)
    return await call.view(_one, call.viewer, phrase_id)


async def remove_phrase(call: Call[None, None]) -> None:
    """PhraseOffer a phrase no more; a version of it can be restored."""
    await call.act(actions.remove, call.part("phrase_id"), by=call.viewer)


async def phrase_versions(call: Call[None, None]) -> Page[PhraseVersion]:
    """List what a phrase said, the newest first."""
    return Page(await call.view(views.versions, call.viewer, call.part("phrase_id")))


async def restore_phrase(call: Call[None, WantedVersion]) -> Phrase:
    """Let a phrase say again what it said in an earlier version, and offer it again where it was removed."""
    phrase_id = call.part("phrase_id")
    await call.act(actions.restore, phrase_id, call.body.version, by=call.viewer)
    return await call.view(_one, call.viewer, phrase_id)


def _one(db: Connection, viewer: Viewer, phrase_id: str) -> Phrase:
    found = next((one for one in views.phrases(db, viewer, "zh") if one.id == phrase_id), None)
    if found is None:
        raise NotFound("there is no such phrase", code="phrase")
    return found


OPERATIONS = (
    Operation("GET", "/phrases", list_phrases, Permission.WRITE_PHRASES),
    Operation("POST", "/phrases", add_phrase, Permission.WRITE_PHRASES, status=201),
    Operation("PUT", "/phrases/{phrase_id}", change_phrase, Permission.WRITE_PHRASES),
    Operation("DELETE", "/phrases/{phrase_id}", remove_phrase, Permission.WRITE_PHRASES, status=204),
    Operation("GET", "/phrases/{phrase_id}/versions", phrase_versions, Permission.WRITE_PHRASES),
    Operation("POST", "/phrases/{phrase_id}/restore", restore_phrase, Permission.WRITE_PHRASES),
    Operation("GET", "/tasks/{task_id}/phrases", offered_phrases, Permission.WRITE_REPORTS),
)
