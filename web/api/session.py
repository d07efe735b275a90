"""Signing in and out, and who one is."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web
from sqlalchemy import Connection

from consult.practitioners import views as practitioners
from consult.practitioners.model import Institution, Role
from telemed.kernel.audit import AuditRecord, Chronicle
from telemed.kernel.errors import Refused
from web import keys
from web.accounts import sessions
from web.accounts.actions import sign_in
from web.accounts.permissions import Permission
from web.api.operations import Call, Given, Operation
from web.rtc.signalling import TABLES
from web.security import COOKIE, SIGNED_IN, SignedIn, address_of, is_secure


class Credentials(Given):
    """What one signs in with."""

    username: str
    password: str


@dataclass(frozen=True)
class User:
    """The person signed in."""

    id: str
    username: str
    name: str
    roles: tuple[Role, ...]
    institution: Institution


@dataclass(frozen=True)
class Session:
    """An open session; *csrf_token* goes into the header X-CSRF-Token of every unsafe request, and is empty for a token."""

    user: User
    csrf_token: str
    #: AE title, host and port that a modality of this site sends to; empty when there is no DICOM node.
    dicom_address: str


async def open_session(call: Call[None, Credentials]) -> Session:
    """Sign in."""
    app = call.request.app
    secret, signed_in = await call.off_loop(
        sign_in,
        app[keys.DATABASE],
        app[keys.CHRONICLE],
        app[keys.PASSWORDS],
        username=call.body.username,
        password=call.body.password,
        address=address_of(call.request),
    )
    # The cookie is set on a response of its own kind: only the header is needed here.
    carrier = web.Response()
    secure = is_secure(call.request, app[keys.SITE].origin)
    carrier.set_cookie(COOKIE, secret, path="/", httponly=True, samesite="Strict", secure=secure)
    call.headers["Set-Cookie"] = carrier.cookies[COOKIE].OutputString()
    return await _shown(call, signed_in, sessions.csrf_token(secret))


async def get_session(call: Call[None, None]) -> Session:
    """Return who is signed in, and the session's CSRF token."""
    secret = call.request.cookies.get(COOKIE, "")
    signed_in = call.request[SIGNED_IN]
    return await _shown(call, signed_in, sessions.csrf_token(secret) if signed_in.by_cookie else "")


async def close_session(call: Call[None, None]) -> None:
    """Sign out: the session ends everywhere, its live sockets too."""
    signed_in = call.request[SIGNED_IN]
    if not signed_in.by_cookie:
        raise Refused("a token has no session; it is ended by revoking it", code="no-session")
    await call.act(_close, signed_in)
    call.request.app[keys.HUB].end(signed_in.digest)
    call.request.app[TABLES].end(signed_in.digest)
    carrier = web.Response()
    carrier.del_cookie(COOKIE, path="/", httponly=True, samesite="Strict")
    call.headers["Set-Cookie"] = carrier.cookies[COOKIE].OutputString()


def _close(db: Connection, chronicle: Chronicle, signed_in: SignedIn) -> None:
    sessions.close_session(db, signed_in.digest)
    viewer = signed_in.viewer
    chronicle.trail.append(
        db, AuditRecord(viewer.practitioner_id, "SignedOut", "account", signed_in.account_id, viewer.institution_id)
    )


async def _shown(call: Call[None, Credentials] | Call[None, None], signed_in: SignedIn, csrf_token: str) -> Session:
    person = await call.view(practitioners.practitioner, signed_in.viewer.practitioner_id)
    user = User(person.id, signed_in.username, person.name, person.roles, person.institution)
    return Session(user, csrf_token, call.request.app[keys.SITE].dicom_address)


OPERATIONS = (
    Operation("POST", "/session", open_session, None),
    Operation("GET", "/session", get_session, Permission.BE_SIGNED_IN),
    Operation("DELETE", "/session", close_session, Permission.BE_SIGNED_IN),
)
