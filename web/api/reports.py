"""Drafts, signatures, reports, and the proof that the clinic has them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from aiohttp import web
from pydantic import Field
from sqlalchemy import Connection

from consult.delivery import actions as delivery
from consult.practitioners.model import Viewer
from consult.readings.actions import sign_task
from consult.reports import actions
from consult.reports import views as reports
from consult.reports.checks import Remark
from consult.reports.model import (
    LONGEST_TEXT,
    MOST_KEY_IMAGES,
    Draft,
    DraftVersion,
    KeyImage,
    Report,
    ReportEvent,
    ReportKind,
    Withdrawal,
)
from telemed.kernel.errors import Invalid, NotFound
from web import keys
from web.accounts.actions import confirm_identity
from web.accounts.permissions import Permission
from web.api.operations import Call, Given, Operation
from web.api.pages import Page, PageQuery
from web.security import SIGNED_IN, address_of

_VERSION = re.compile(r'"?(\d{1,9})"?')


class GivenKeyImage(Given):
    """One frame worth showing; frames count from 1."""

    sop_instance_uid: str = Field(max_length=64)
    frame: int = Field(default=1, ge=1)


class DraftText(Given):
    """What a reader has written so far."""

    findings: str = Field(default="", max_length=LONGEST_TEXT)
    impression: str = Field(default="", max_length=LONGEST_TEXT)
    kind: ReportKind | None = None
    critical: bool = False
    key_images: tuple[GivenKeyImage, ...] = Field(default=(), max_length=MOST_KEY_IMAGES)

    def as_draft(self) -> Draft:
        """Return it as the report's own value."""
        images = tuple(KeyImage(image.sop_instance_uid, image.frame) for image in self.key_images)
        return Draft(self.findings, self.impression, self.kind, self.critical, images)


class Signature(Given):
    """The signer's password: identity is checked again at the moment of signing."""

    password: str = Field(max_length=1000)


class Amendment(DraftText):
    """The new text of a signed report, why it is needed, and the signer's password.

    *status* is that of the version it makes: amended for what was learned since, corrected for an error of the earlier one.
    """

    status: Literal["amended", "corrected"] = "amended"
    reason: str = Field(min_length=1, max_length=2000)
    password: str = Field(max_length=1000)


class GivenAddendum(Given):
    """What is added beneath a signed report, whether it makes it critical, and the signer's password."""

    text: str = Field(max_length=LONGEST_TEXT)
    critical: bool = False
    password: str = Field(max_length=1000)


class Cancellation(Given):
    """Why a signed report is withdrawn, in words where the cause is "other", and the signer's password."""

    cause: Withdrawal
    reason: str = Field(default="", max_length=2000)
    password: str = Field(max_length=1000)


class Repeated(Given):
    """The critical value in the words of whoever was told."""

    words: str = Field(max_length=delivery.LONGEST_READ_BACK)


class ReportsQuery(PageQuery):
    """Of one study every version, or else the newest signed for one's own institution."""

    study_instance_uid: str | None = Field(default=None, max_length=64)
    unread: bool = False


async def get_draft(call: Call[None, None]) -> Draft:
    """Return the draft of a task's report; version 0 when nothing was saved yet."""
    return _tagged(call, await call.view(reports.draft, call.viewer, call.part("task_id")))


async def save_draft(call: Call[None, DraftText]) -> Draft:
    """Save the draft; with If-Match only if its version is still the one named, else 409."""
    expected = _expected_version(call.request)
    draft = call.body.as_draft()
    return _tagged(call, await call.act(actions.save_draft, call.part("task_id"), draft, expected, by=call.viewer))


@dataclass(frozen=True)
class Remarks:
    """What should be looked at once more, the gravest first."""

    items: tuple[Remark, ...]


async def draft_remarks(call: Call[None, None]) -> Remarks:
    """Return what the words of the saved draft leave in doubt: sides, sex, negations, units, critical words, blanks."""
    return Remarks(await call.view(reports.remarks, call.viewer, call.part("task_id")))


async def list_draft_versions(call: Call[None, None]) -> Page[DraftVersion]:
    """List what is kept of a draft's earlier versions, the newest first."""
    return Page(await call.view(reports.draft_versions, call.viewer, call.part("task_id")))


async def get_draft_version(call: Call[None, None]) -> Draft:
    """Return a draft as it was in an earlier version; saving it again restores it."""
    version = _VERSION.fullmatch(call.part("version"))
    if version is None:
        raise NotFound("a version of a draft is called by its number", code="draft")
    return await call.view(reports.draft_version, call.viewer, call.part("task_id"), int(version[1]))


async def sign_report(call: Call[None, Signature]) -> Report:
    """Sign the draft: the report is final and never changes again; preliminary where another has to read the study, too."""
    await confirmed(call, call.body.password)
    database = call.request.app[keys.DATABASE]
    task_id, viewer = call.part("task_id"), call.viewer
    return await call.off_loop(sign_task, database, call.chronicle, task_id, maker_of(call), by=viewer)


async def list_reports(call: Call[ReportsQuery, None]) -> Page[Report]:
    """List the reports of a study, or the newest signed for one's institution."""
    query = call.query
    if query.study_instance_uid:
        return Page(await call.view(reports.reports_of_study, call.viewer, query.study_instance_uid))
    found = await call.view(reports.inbox, call.viewer, unread_only=query.unread, limit=query.limit, cursor=query.cursor)
    return Page(found.items, found.next)


async def get_report(call: Call[None, None]) -> Report:
    """Return one version of a report."""
    return await call.view(reports.report, call.viewer, call.part("report_id"))


async def get_report_document(call: Call[None, None]) -> web.Response:
    """Return the signed document as PDF, byte for byte as it was signed."""
    report_id = call.part("report_id")
    return _pdf(await call.view(reports.document, call.viewer, report_id), f"report-{report_id}")


async def get_printed_report(call: Call[None, None]) -> web.Response:
    """Return what to print of a version, as PDF: the signed document, or its pages marked as superseded once it was replaced."""
    report_id = call.part("report_id")
    report, signed = await call.view(_signed, call.viewer, report_id)
    newest = await call.view(reports.newest_version, call.viewer, report_id)
    content = await call.off_loop(call.request.app[keys.DOCUMENTS].printed, report, signed, newest)
    return _pdf(content, f"report-{report_id}" if newest.id == report_id else f"report-{report_id}-superseded")


async def get_delivery_slip(call: Call[None, None]) -> web.Response:
    """Return the delivery slip of a report, as PDF: when it was signed, delivered and read."""
    report_id = call.part("report_id")
    report, signed = await call.view(_signed, call.viewer, report_id)
    content = await call.off_loop(call.request.app[keys.DOCUMENTS].slip, report, signed, call.viewer)
    return _pdf(content, f"slip-{report_id}")


def _pdf(content: bytes, name: str) -> web.Response:
    disposition = f'inline; filename="{name}.pdf"'
    return web.Response(body=content, content_type="application/pdf", headers={"Content-Disposition": disposition})


def _signed(db: Connection, viewer: Viewer, report_id: str) -> tuple[Report, bytes]:
    return reports.report(db, viewer, report_id), reports.document(db, viewer, report_id)


async def amend_report(call: Call[None, Amendment]) -> Report:
    """Replace a signed report by a new signed version that names it; the clinic is told again."""
    await confirmed(call, call.body.password)
    database, report_id, viewer = call.request.app[keys.DATABASE], call.part("report_id"), call.viewer
    draft, reason, make = call.body.as_draft(), call.body.reason, maker_of(call)
    event = ReportEvent.CORRECT if call.body.status == "corrected" else ReportEvent.AMEND
    return await call.off_loop(
        actions.amend_report, database, call.chronicle, report_id, draft, reason, make, by=viewer, event=event
    )


async def append_to_report(call: Call[None, GivenAddendum]) -> Report:
    """Add to a signed report by a new signed version that leaves its text as it is; the clinic is told again."""
    await confirmed(call, call.body.password)
    database, report_id, viewer = call.request.app[keys.DATABASE], call.part("report_id"), call.viewer
    text, critical, make = call.body.text, call.body.critical, maker_of(call)
    return await call.off_loop(
        actions.append_to_report, database, call.chronicle, report_id, text, make, by=viewer, critical=critical
    )


async def cancel_report(call: Call[None, Cancellation]) -> Report:
    """Withdraw a signed report by a last signed version that says why; the clinic is told, and asks anew for an answer."""
    await confirmed(call, call.body.password)
    database, report_id, viewer = call.request.app[keys.DATABASE], call.part("report_id"), call.viewer
    cause, reason, make = call.body.cause, call.body.reason, maker_of(call)
    return await call.off_loop(actions.cancel_report, database, call.chronicle, report_id, cause, reason, make, by=viewer)


async def acknowledge_report(call: Call[None, None]) -> Report:
    """Acknowledge that a named person at the clinic has opened the report (T6)."""
    return await call.act(delivery.receipt, call.part("report_id"), by=call.viewer)


async def read_back_report(call: Call[None, Repeated]) -> Report:
    """Repeat the critical value, so that both sides know it was understood; only then is the document given to the clinic."""
    return await call.act(delivery.read_back, call.part("report_id"), words=call.body.words, by=call.viewer)


def maker_of(call: Call[None, Any]) -> actions.DocumentMaker:
    """Return what makes the documents that *call*'s viewer signs."""
    documents, viewer = call.request.app[keys.DOCUMENTS], call.viewer
    return lambda report: documents.make(report, viewer)


async def confirmed(call: Call[None, Any], password: str) -> None:
    """Return when *password* is that of whoever calls; raise as `accounts.actions.confirm_identity`."""
    app = call.request.app
    await call.off_loop(
        confirm_identity,
        app[keys.DATABASE],
        app[keys.CHRONICLE],
        app[keys.PASSWORDS],
        signed_in=call.request[SIGNED_IN],
        password=password,
        address=address_of(call.request),
    )


def _expected_version(request: web.Request) -> int | None:
    given = request.headers.get("If-Match", "*").strip()
    if given == "*":
        return None
    found = _VERSION.fullmatch(given)
    if found is None:
        raise Invalid('If-Match needs the version the draft was read with, as "3"', code="if-match")
    return int(found[1])


def _tagged(call: Call[None, None] | Call[None, DraftText], draft: Draft) -> Draft:
    call.headers["ETag"] = f'"{draft.version}"'
    return draft


OPERATIONS = (
    Operation("GET", "/tasks/{task_id}/report", get_draft, Permission.READ_TASKS),
    Operation("PUT", "/tasks/{task_id}/report", save_draft, Permission.WRITE_REPORTS),
    Operation("GET", "/tasks/{task_id}/report/versions", list_draft_versions, Permission.WRITE_REPORTS),
    Operation("GET", "/tasks/{task_id}/report/versions/{version}", get_draft_version, Permission.WRITE_REPORTS),
    Operation("GET", "/tasks/{task_id}/report/remarks", draft_remarks, Permission.WRITE_REPORTS),
    Operation("POST", "/tasks/{task_id}/report/sign", sign_report, Permission.WRITE_REPORTS),
    Operation("GET", "/reports", list_reports, Permission.READ_REPORTS),
    # Before the plain id, whose pattern would swallow the ending.
    Operation("GET", "/reports/{report_id}.pdf", get_report_document, Permission.READ_REPORTS, produces="application/pdf"),
    Operation("GET", "/reports/{report_id}/print.pdf", get_printed_report, Permission.READ_REPORTS, produces="application/pdf"),
    Operation("GET", "/reports/{report_id}/slip.pdf", get_delivery_slip, Permission.READ_REPORTS, produces="application/pdf"),
    Operation("GET", "/reports/{report_id}", get_report, Permission.READ_REPORTS),
    Operation("POST", "/reports/{report_id}/amend", amend_report, Permission.WRITE_REPORTS),
    Operation("POST", "/reports/{report_id}/append", append_to_report, Permission.WRITE_REPORTS),
    Operation("POST", "/reports/{report_id}/cancel", cancel_report, Permission.WRITE_REPORTS),
    Operation("POST", "/reports/{report_id}/read-back", read_back_report, Permission.ACKNOWLEDGE_REPORTS),
    Operation("POST", "/reports/{report_id}/receipt", acknowledge_report, Permission.ACKNOWLEDGE_REPORTS),
)
