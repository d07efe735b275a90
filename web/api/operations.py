"""What the API is made of: an operation is one line of a table, its handler's signature says the rest.

A handler is ``async def name(call: Call[Query, Body]) -> Answer``. Query and Body are pydantic models or None; the
answer is anything pydantic can serialise: a frozen dataclass of consult, as it is. The first line of its docstring is
the summary. Routing, validation and the OpenAPI document are all derived from that, so they cannot disagree.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import MAXYEAR, MINYEAR, date
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, get_args, get_origin, get_type_hints

from aiohttp import web
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, field_validator
from sqlalchemy import Connection

from consult.practitioners.model import Viewer
from telemed.kernel.audit import Chronicle
from telemed.kernel.errors import Invalid
from web import keys
from web.accounts.permissions import Permission, require
from web.api.transact import consult_view, off_loop, transact
from web.deadlines import BODY_WITHIN_S, in_time
from web.security import SIGNED_IN

Q = TypeVar("Q")
B = TypeVar("B")
P = ParamSpec("P")
T = TypeVar("T")

PREFIX = "/api/v1"
MOST_ERRORS_NAMED = 5
#: A clinic's uplink is thin; smaller answers, sign-in among them, go as they are.
WORTH_COMPRESSING = 4096


class Given(BaseModel):
    """Something a stranger sent: nothing beyond the named fields is taken, so that nobody assigns what is not theirs."""

    model_config = ConfigDict(extra="forbid", str_max_length=20_000, frozen=True)

    @field_validator("*")
    @classmethod
    def _can_be_dealt_with(cls, value: object) -> object:
        """Refuse what one database keeps and the other does not, and days beside which there are no others to reckon with."""
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, str) and "\0" in one:
                raise ValueError("a NUL character is no part of a text")
            if isinstance(one, date) and one.year in (MINYEAR, MAXYEAR):
                raise ValueError("no calendar is kept that far away")
        return value


@dataclass(frozen=True)
class Call(Generic[Q, B]):
    """One call of an operation, its query and body already checked."""

    request: web.Request
    query: Q
    body: B
    #: Headers to be sent with the answer.
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def viewer(self) -> Viewer:
        """Who calls."""
        return self.request[SIGNED_IN].viewer

    @property
    def chronicle(self) -> Chronicle:
        """Where what is done is written down."""
        return self.request.app[keys.CHRONICLE]

    def part(self, name: str) -> str:
        """Return the part of the path called *name*."""
        return self.request.match_info[name]

    async def view(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a view of consult, ``function(db, ...)``."""
        return await consult_view(self.request, function, *args, **kwargs)

    async def act(self, function: Callable[Concatenate[Connection, Chronicle, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call an action of consult, ``function(db, chronicle, ...)``, in a transaction of its own."""
        return await transact(self.request, function, self.chronicle, *args, **kwargs)

    async def off_loop(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run something slow in a thread."""
        return await off_loop(self.request, function, *args, **kwargs)


Handler = Callable[[Call[Any, Any]], Awaitable[object]]


@dataclass(frozen=True)
class Ready(Generic[T]):
    """An answer of type T whose JSON was written elsewhere, as in a worker: large ones would hold up the event loop."""

    content: bytes


@dataclass(frozen=True)
class Operation:
    """One operation: *path* is under PREFIX; *permission* None leaves it open to everyone."""

    method: str
    path: str
    handler: Handler
    permission: Permission | None
    status: int = 200
    #: Media types of a body that is no JSON; the handler reads it from the request itself.
    consumes: tuple[str, ...] = ()
    #: Media type of an answer that is no JSON; the handler returns the response itself.
    produces: str = "application/json"

    @property
    def name(self) -> str:
        """The operation's id: the name of its handler."""
        return self.handler.__name__

    @property
    def summary(self) -> str:
        """The first line of the handler's docstring."""
        return (self.handler.__doc__ or "").strip().partition("\n")[0]

    @property
    def tag(self) -> str:
        """The module it stands in."""
        return self.handler.__module__.rpartition(".")[2]

    @property
    def models(self) -> tuple[type[BaseModel] | None, type[BaseModel] | None]:
        """The models of query and body."""
        query, body = get_args(_hints(self.handler)["call"])
        return _model(query), _model(body)

    @property
    def answer(self) -> Any:  # noqa: ANN401 - any type at all
        """The type of the answer; None when there is none, or it is no JSON."""
        answer = _hints(self.handler)["return"]
        if answer is types.NoneType or (get_origin(answer) is None and issubclass(answer, web.StreamResponse)):
            return None
        return get_args(answer)[0] if get_origin(answer) is Ready else answer


@functools.cache
def _hints(handler: Handler) -> dict[str, Any]:
    return get_type_hints(handler)


def _model(given: Any) -> type[BaseModel] | None:  # noqa: ANN401 - a type argument
    return None if given is types.NoneType else given


@functools.cache
def _adapter(answer: Any) -> TypeAdapter[Any]:  # noqa: ANN401 - any type at all
    return TypeAdapter(answer)


def route(operation: Operation) -> web.RouteDef:
    """Return the route that answers *operation*: permission, query, body, handler, answer, in that order."""
    query_model, body_model = operation.models
    adapter = None if operation.answer is None else _adapter(operation.answer)

    async def respond(request: web.Request) -> web.StreamResponse:
        if operation.permission is not None:
            require(request[SIGNED_IN].viewer, operation.permission)
        query = None if query_model is None else _checked(query_model, dict(request.query))
        body = None if body_model is None else _parsed(body_model, await _json_body(request))
        call = Call(request, query, body)
        answer = await operation.handler(call)
        if isinstance(answer, web.StreamResponse):
            return answer
        if adapter is None:
            return web.Response(status=204, headers=call.headers)
        content = answer.content if isinstance(answer, Ready) else adapter.dump_json(answer)
        response = web.Response(status=operation.status, body=content, content_type="application/json", headers=call.headers)
        if len(content) > WORTH_COMPRESSING:
            response.enable_compression()
        return response

    return web.route(operation.method, PREFIX + operation.path, respond)


async def _json_body(request: web.Request) -> bytes:
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType
    return await in_time(request.read(), BODY_WITHIN_S)


def _checked(model: type[BaseModel], values: dict[str, str]) -> BaseModel:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise Invalid(_sentence("the query", error), code="query") from None


def _parsed(model: type[BaseModel], body: bytes) -> BaseModel:
    try:
        return model.model_validate_json(body or b"{}")
    except ValidationError as error:
        if any(one["type"] == "json_invalid" for one in error.errors(include_url=False, include_input=False)):
            raise Invalid("the body is not readable as JSON", code="unparsable") from None
        raise Invalid(_sentence("the body", error), code="body") from None


def _sentence(what: str, error: ValidationError) -> str:
    """Name what is wrong and where, without repeating what was sent: it may be about a patient."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    named = [f"{'.'.join(map(str, one['loc'])) or 'it'}: {one['msg']}" for one in found[:MOST_ERRORS_NAMED]]
    return f"{what} is not right: {'; '.join(named)}"
