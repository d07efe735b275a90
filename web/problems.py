"""Errors in HTTP's words: RFC 9457 problem details. With dicom_node.services.status, the only two such tables."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping

from aiohttp import web
from aiohttp.http import HttpProcessingError
from aiohttp.typedefs import Handler

from ecg import EcgError
from telemed.kernel.errors import Conflict, Invalid, NotFound, Refused, TelemedError, Unavailable
from web.security import REQUEST_ID

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 5

#: Kind of error, status, title; the first that fits.
KINDS: tuple[tuple[type[Exception], int, str], ...] = (
    (NotFound, 404, "Not found"),
    (Conflict, 409, "It has changed, or somebody else was first"),
    (Refused, 403, "Not allowed"),
    (Unavailable, 503, "Not now"),
    (Invalid, 422, "The content is not right"),
    (EcgError, 422, "The recording cannot be used"),
)
#: Codes that HTTP has a better status for than their kind's.
CODES: Mapping[str, tuple[int, str]] = {
    "unparsable": (400, "The request cannot be read"),
    "sign-in": (401, "Not signed in"),
    "too-large": (413, "Too large"),
    "too-many-attempts": (429, "Too many attempts"),
    "out-of-space": (507, "The disk is full"),
}


def problem_of(error: Exception) -> tuple[int, str, str, str]:
    """Return status, title, sentence and code for *error*; what nobody foresaw is 500 and says nothing of our insides."""
    for kind, usual, words in KINDS:
        if isinstance(error, kind):
            if not isinstance(error, TelemedError):
                return usual, words, str(error), "recording"
            status, title = CODES.get(error.code, (usual, words))
            return status, title, error.sentence, error.code or kind.__name__.lower()
    return 500, "The server failed", "this is our mistake, not yours; the log names it under this request's id", "internal"


def response_of(error: Exception, request_id: str) -> web.Response:
    """Answer *error*."""
    status, title, sentence, code = problem_of(error)
    headers = {}
    if status in {429, 503, 507}:
        headers["Retry-After"] = str(RETRY_AFTER_S)
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="telemed"'
    return _response((status, title, sentence, code), request_id, headers)


def _response(problem: tuple[int, str, str, str], request_id: str, headers: Mapping[str, str]) -> web.Response:
    status, title, sentence, code = problem
    body = {
        "type": f"urn:telemed:problem:{code}",
        "title": title,
        "status": status,
        "detail": sentence,
        "code": code,
        "instance": f"urn:telemed:request:{request_id}",
    }
    content = json.dumps(body, ensure_ascii=False).encode()
    return web.Response(status=status, body=content, content_type=MEDIA_TYPE, headers=headers)


#: What to say for the errors aiohttp itself raises.
SENTENCES = {
    404: "there is nothing at this address",
    405: "this address does not answer that method",
    406: "none of the media types asked for can be given here",
    408: "the content took too long to arrive",
    413: "the content is larger than this address takes",
    415: "this media type is not taken here",
}


_BEGUN = web.RequestKey("begun", bool)


async def note_begun(request: web.Request, _: web.StreamResponse) -> None:
    """Remember that an answer has begun: what goes wrong from then on cannot be said in another one."""
    request[_BEGUN] = True


def _has_gone(request: web.Request) -> bool:
    """Tell whether a broken connection is the reader's: in the middle of an answer there is no other."""
    return _BEGUN in request or request.transport is None or request.transport.is_closing()


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error into problem details; one in the middle of an answer ends the connection, lest it pass for whole."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        sentence = SENTENCES.get(error.status, error.text or error.reason)
        headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        problem = (error.status, error.reason, sentence, error.reason.lower().replace(" ", "-"))
        return _response(problem, request[REQUEST_ID], headers)
    except (web.RequestPayloadError, HttpProcessingError):  # what it quotes of the content is nothing to repeat
        sentence = "the content is not encoded, or not divided into parts, as its headers say"
        return response_of(Invalid(sentence, code="unparsable"), request[REQUEST_ID])
    except Exception as error:
        if isinstance(error, ConnectionError) and _has_gone(request):
            raise
        status = problem_of(error)[0]
        if status == 500 or _BEGUN in request:
            log.exception("request %s failed", request[REQUEST_ID])
        elif status in {503, 507}:
            log.warning("request %s: %s", request[REQUEST_ID], problem_of(error)[2])
        if _BEGUN in request:
            raise ConnectionAbortedError("the answer broke off") from error
        return response_of(error, request[REQUEST_ID])
