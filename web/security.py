"""Who is asking: the viewer of a request, put there by the sign-in guard of `web.middleware`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from consult.practitioners.model import Viewer

COOKIE = "telemed_session"
CSRF_HEADER = "X-CSRF-Token"


@dataclass(frozen=True)
class SignedIn:
    """A request's proof of who sent it: a browser's session or a program's token."""

    viewer: Viewer
    account_id: str
    username: str
    #: sha256 of the session's or token's secret; names it without being able to use it.
    digest: str
    expires_at: datetime | None
    #: True for a browser's cookie, which needs the CSRF header; False for a bearer token.
    by_cookie: bool


SIGNED_IN = web.RequestKey("signed_in", SignedIn)
REQUEST_ID = web.RequestKey("request_id", str)


def viewer_of(request: web.BaseRequest) -> Viewer:
    """Return who is asking; only for handlers behind the sign-in guard."""
    return request[SIGNED_IN].viewer


def address_of(request: web.BaseRequest) -> str:
    """Return the peer's address, for limits and the audit trail; forwarding headers are not believed."""
    return request.remote or "unknown"


def is_secure(request: web.BaseRequest, origin: str | None) -> bool:
    """Tell whether the browser came by https, to us or to the proxy in front of us."""
    return request.scheme == "https" or (origin or "").startswith("https://")
