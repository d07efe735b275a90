"""Around every handler: the request's id, a log line without patient data, safe headers, and the sign-in guard."""

from __future__ import annotations

import asyncio
import base64
import hmac
import logging
import re
import secrets
import time

from aiohttp import web
from aiohttp.typedefs import Handler

from telemed.kernel.errors import Refused
from web import keys
from web.accounts import sessions
from web.recognition import by_cookie, by_token
from web.security import COOKIE, CSRF_HEADER, REQUEST_ID, SIGNED_IN, SignedIn, is_secure

log = logging.getLogger("telemed.access")

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_ABOUT_STUDIES, _REQUESTS = ("/dicom-web/", "/api/v1/studies"), "/api/v1/requests"
_SECONDS_TO_CATCH_UP = 1.0
#: As nginx counts it: nobody was there any more to take the answer.
_GONE = 499
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")

#: Everything from ourselves. Styles may be inline (component libraries set them); scripts never; wasm and blob workers decode.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; "
    "script-src 'self' 'wasm-unsafe-eval'; "
    "worker-src 'self' blob:; "
    "style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; "
    "media-src 'self' blob:; "
    "font-src 'self' data:; "
    "frame-src 'self' blob:; "
    "object-src 'self'; "
    "base-uri 'none'; "
    "form-action 'self'"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self), microphone=(self), geolocation=(), display-capture=(self)",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


async def set_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Put the safe headers on every response, streamed ones too; a PDF may be framed by our own pages, nothing else by anyone."""
    # The header as it stands: what aiohttp makes of it costs more than the rest of a small answer.
    ancestors = "'self'" if response.headers.get("Content-Type", "").startswith("application/pdf") else "'none'"
    response.headers.setdefault("Content-Security-Policy", f"{CONTENT_SECURITY_POLICY}; frame-ancestors {ancestors}")
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = "telemed"
    if _is_private(request):
        response.headers.setdefault("Cache-Control", "no-store")
    if is_secure(request, request.app[keys.SITE].origin):
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    if REQUEST_ID in request:
        response.headers["X-Request-Id"] = request[REQUEST_ID]


def _is_private(request: web.Request) -> bool:
    return request.path.startswith(("/api/", "/dicom-web"))


@web.middleware
async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request an id, count it, and log it by its route: paths and queries carry patients' data, routes do not."""
    given = request.headers.get("X-Request-Id", "")
    request[REQUEST_ID] = given if _GIVEN_ID.fullmatch(given) else secrets.token_hex(8)
    began, status = time.perf_counter(), 500
    try:
        response = await handler(request)
        status = response.status
    except web.HTTPException as error:
        status = error.status
        raise
    except ConnectionError as error:  # `web.problems` aborts what it breaks off itself
        status = 500 if isinstance(error, ConnectionAbortedError) else _GONE
        raise
    else:
        return response
    finally:
        seconds = time.perf_counter() - began
        metrics = request.app[keys.METRICS]
        route = route_of(request)
        metrics.count("telemed_http_requests_total", method=request.method, route=route, status=str(status))
        metrics.count("telemed_http_request_seconds_total", seconds, method=request.method, route=route)
        level = logging.INFO if status < 500 else logging.WARNING
        log.log(level, "%s %s %d %.0f ms request=%s", request.method, route, status, seconds * 1000, request[REQUEST_ID])


def route_of(request: web.Request) -> str:
    """Return the pattern that the request's path matched, never the path itself."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "unmatched"


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let only those through who are signed in, except to the few open routes and to addresses that do not exist.

    A browser's cookie also needs the CSRF header on unsafe methods, and a known Origin there and on WebSockets; a
    program's bearer token needs neither, for no browser sends it by itself.
    """
    if request.match_info.http_exception is not None:
        return await handler(request)
    method = "GET" if request.method == "HEAD" else request.method
    if (method, route_of(request)) in request.app[keys.OPEN_ROUTES]:
        if method not in SAFE_METHODS:
            _check_origin(request)
        return await handler(request)
    if "Authorization" in request.headers:
        request[SIGNED_IN] = _known(await by_token(request, _token_of(request)))
    else:
        secret = request.cookies.get(COOKIE, "")
        request[SIGNED_IN] = signed_in = _known(await by_cookie(request, secret))
        if method not in SAFE_METHODS:
            _check_origin(request)
            given = request.headers.get(CSRF_HEADER, "")
            if not hmac.compare_digest(given.encode(errors="surrogateescape"), sessions.csrf_token(secret).encode()):
                raise Refused(f"the header {CSRF_HEADER} is missing or not this session's; sign in again", code="csrf")
        elif request.headers.get("Upgrade", "").lower() == "websocket":
            _check_origin(request, required=True)
        assert signed_in.by_cookie
    return await handler(request)


def _token_of(request: web.Request) -> str:
    """Return the token of the Authorization header: as a bearer, or to DICOMweb as the password of a basic sign-in.

    Many DICOMweb clients can only do the latter. The user's own password is never one, and nobody is asked for it so.
    """
    scheme, _, credentials = request.headers["Authorization"].partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    if scheme.lower() == "basic" and request.path.startswith("/dicom-web/"):
        try:
            return base64.b64decode(credentials.strip(), validate=True).decode("ascii").partition(":")[2]
        except ValueError:
            return ""
    raise Refused("only tokens are taken in the Authorization header, as a bearer", code="sign-in")


@web.middleware
async def catch_up(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let a question about studies wait a moment for what was acknowledged before it and is not yet in the index."""
    arrivals = request.app[keys.ARCHIVE].arrivals
    asks = request.method in SAFE_METHODS and request.path.startswith(_ABOUT_STUDIES)
    if arrivals.pending and (asks or request.path == _REQUESTS):
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(request.app[keys.SLOW_THREADS], arrivals.wait, _SECONDS_TO_CATCH_UP)
    return await handler(request)


def _known(signed_in: SignedIn | None) -> SignedIn:
    if signed_in is None:
        raise Refused("sign in first; if you were signed in, the session has ended", code="sign-in")
    return signed_in


def _check_origin(request: web.Request, *, required: bool = False) -> None:
    given = request.headers.get("Origin")
    if given is None and not required:
        return
    if given is None or (given != request.app[keys.SITE].origin and given.partition("://")[2] != request.host):
        raise Refused("this came from another site's page", code="origin")
