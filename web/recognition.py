"""Whose request it is: asked of the database, or known from before while nothing has changed there.

On SQLite an answer is believed only while the database's version stays (`Database.version`): whatever is committed by
anybody, a token revoked on the command line among it, and the next request asks again. PostgreSQL has no such number, may
be shared by several servers, and is asked each time.
"""

from __future__ import annotations

from aiohttp import web

from dicom_node.imaging.cache import RecentlyUsed
from web import keys
from web.accounts import sessions, tokens
from web.api.transact import glance, transact
from web.security import SignedIn

#: Who was recognised by a secret's digest, and the database's version then.
KNOWN = web.AppKey("known", RecentlyUsed[tuple[int, SignedIn]])


def new_memory() -> RecentlyUsed[tuple[int, SignedIn]]:
    """Return a memory for KNOWN."""
    return RecentlyUsed(10_000)


async def by_token(request: web.Request, token: str) -> SignedIn | None:
    """Return whose token it is, None when it is nobody's or ended."""
    digest = sessions.digest_of(token)
    version = request.app[keys.DATABASE].version()
    return _remembered(request, digest, version) or _remember(
        request, version, await glance(request, tokens.signed_in_by_digest, digest)
    )


async def by_cookie(request: web.Request, secret: str) -> SignedIn | None:
    """Return whose session it is, None when it is nobody's or has ended; one in use is extended."""
    if not secret:
        return None
    now, digest = request.app[keys.CLOCK].now(), sessions.digest_of(secret)
    version = request.app[keys.DATABASE].version()
    found = _remembered(request, digest, version)
    if found is None or found.expires_at is None or found.expires_at <= now:
        found = _remember(request, version, await glance(request, sessions.signed_in_by_digest, digest, now))
    if found is not None and sessions.is_to_be_extended(found, now):
        await transact(request, sessions.extend, found, now)
    return found


def _remembered(request: web.Request, digest: str, version: int | None) -> SignedIn | None:
    known = None if version is None else request.app[KNOWN].get(digest)
    return known[1] if known is not None and known[0] == version else None


def _remember(request: web.Request, version: int | None, found: SignedIn | None) -> SignedIn | None:
    if found is not None and version is not None:
        request.app[KNOWN].put(found.digest, (version, found), 1)
    return found
