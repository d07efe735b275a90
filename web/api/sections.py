"""Sections: one study read in regions by several readers at once."""

from __future__ import annotations

from pydantic import Field

from consult.phrases.model import Region
from consult.sections import actions, views
from consult.sections.model import LONGEST_SECTION, Section, Written
from web.accounts.permissions import Permission
from web.api.operations import Call, Given, Operation
from web.api.pages import Page
from web.api.reports import Signature, confirmed
from web.api.tasks import TakingOver


class RegionSplit(Given):
    """The regions that are read apart."""

    regions: tuple[Region, ...] = Field(max_length=len(Region))


class SectionText(Given):
    """What a reader has written of a region, and the version they saw, 0 before the first save."""

    findings: str = Field(default="", max_length=LONGEST_SECTION)
    impression: str = Field(default="", max_length=LONGEST_SECTION)
    critical: bool = False
    version: int = Field(ge=0)


async def list_sections(call: Call[None, None]) -> Page[Section]:
    """List who reads which region of the tasks one may read, without what they wrote."""
    return Page(await call.view(views.worklist, call.viewer))


async def task_sections(call: Call[None, None]) -> Page[Section]:
    """List a task's sections; what is not signed only its author sees."""
    return Page(await call.view(views.sections, call.viewer, call.part("task_id")))


async def split_task(call: Call[None, RegionSplit]) -> Page[Section]:
    """Let a study be read in regions by several at once; whoever holds its first reading may."""
    return Page(await call.act(actions.split, call.part("task_id"), regions=call.body.regions, by=call.viewer))


async def unsplit_task(call: Call[None, None]) -> None:
    """Take a split back, texts and all, while none of its sections is signed."""
    await call.act(actions.undo, call.part("task_id"), by=call.viewer)


async def claim_section(call: Call[None, None]) -> Section:
    """Take an open section; of two who do so at one instant one wins, the other gets 409."""
    return await call.act(actions.claim, call.part("section_id"), by=call.viewer)


async def save_section(call: Call[None, SectionText]) -> Section:
    """Save what one has written of a region, if its version is still the one named, else 409."""
    return await call.act(actions.save, call.part("section_id"), Written(**dict(call.body)), by=call.viewer)


async def sign_section(call: Call[None, Signature]) -> Section:
    """Sign one's section; with the last of them the lead's draft is their text."""
    await confirmed(call, call.body.password)
    return await call.act(actions.sign, call.part("section_id"), by=call.viewer)


async def release_section(call: Call[None, None]) -> Section:
    """Give a section back; what was written stays for whoever claims it next."""
    return await call.act(actions.release, call.part("section_id"), by=call.viewer)


async def take_over_section(call: Call[None, TakingOver]) -> Section:
    """Take a section that a colleague holds, text and all; only whoever holds the task may."""
    return await call.act(actions.take_over, call.part("section_id"), reason=call.body.reason, by=call.viewer)


OPERATIONS = (
    Operation("GET", "/sections", list_sections, Permission.WRITE_REPORTS),
    Operation("GET", "/tasks/{task_id}/sections", task_sections, Permission.READ_TASKS),
    Operation("POST", "/tasks/{task_id}/sections", split_task, Permission.WRITE_REPORTS, status=201),
    Operation("DELETE", "/tasks/{task_id}/sections", unsplit_task, Permission.WRITE_REPORTS),
    Operation("POST", "/sections/{section_id}/claim", claim_section, Permission.WRITE_REPORTS),
    Operation("PUT", "/sections/{section_id}", save_section, Permission.WRITE_REPORTS),
    Operation("POST", "/sections/{section_id}/sign", sign_section, Permission.WRITE_REPORTS),
    Operation("POST", "/sections/{section_id}/release", release_section, Permission.WRITE_REPORTS),
    Operation("POST", "/sections/{section_id}/take-over", take_over_section, Permission.WRITE_REPORTS),
)
