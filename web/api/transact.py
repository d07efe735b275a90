"""From the event loop to the synchronous core and back: the one place where a handler meets a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

from aiohttp import web
from sqlalchemy import Connection

from web import keys

P = ParamSpec("P")
T = TypeVar("T")


async def off_loop(request: web.BaseRequest, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run *function*, which may block, in the application's threads."""
    return await in_threads(_application(request), function, *args, **kwargs)


async def in_threads(app: web.Application, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run *function* in *app*'s threads, for callers without a request."""
    call = partial(copy_context().run, function, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(app[keys.THREADS], call)


async def transact(
    request: web.BaseRequest, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Call ``function(db, ...)`` in a writing transaction, in a thread; committed when it returns, undone when it raises."""
    database = _application(request)[keys.DATABASE]

    def write() -> T:
        with database.transaction() as db:
            return function(db, *args, **kwargs)

    return await off_loop(request, write)


async def consult_view(
    request: web.BaseRequest, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Call ``function(db, ...)`` in one consistent reading view, in a thread."""
    database = _application(request)[keys.DATABASE]

    def read() -> T:
        with database.reading() as db:
            return function(db, *args, **kwargs)

    return await off_loop(request, read)


def _application(request: web.BaseRequest) -> web.Application:
    assert isinstance(request, web.Request), "only a routed request knows its application"
    return request.app
