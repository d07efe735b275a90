"""From the event loop to the synchronous core and back: the one place where a handler meets a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

from aiohttp import web
from sqlalchemy import Connection

from web import keys

P = ParamSpec("P")
T = TypeVar("T")


async def off_loop(request: web.BaseRequest, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run *function*, which may block for long, in the threads for slow work."""
    return await _in(_application(request)[keys.SLOW_THREADS], function, *args, **kwargs)


async def _in(threads: ThreadPoolExecutor, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    call = partial(copy_context().run, function, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(threads, call)


async def transact(
    request: web.BaseRequest, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Call ``function(db, ...)`` in a writing transaction, in a thread; committed when it returns, undone when it raises."""
    app = _application(request)
    database = app[keys.DATABASE]

    def write() -> T:
        with database.transaction() as db:
            return function(db, *args, **kwargs)

    return await _in(app[keys.THREADS], write)


async def consult_view(
    request: web.BaseRequest, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Call ``function(db, ...)`` in one consistent reading view, in a thread."""
    app = _application(request)
    database = app[keys.DATABASE]

    def read() -> T:
        with database.reading() as db:
            return function(db, *args, **kwargs)

    return await _in(app[keys.THREADS], read)


async def glance(
    request: web.BaseRequest, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Call ``function(db, ...)`` as `consult_view` does, to read a few rows by their key and no more than a few.

    On SQLite that takes less time than a thread takes to wake, and is done at once. PostgreSQL is awaited in a thread.
    """
    database = _application(request)[keys.DATABASE]
    if not database.is_sqlite:
        return await consult_view(request, function, *args, **kwargs)
    with database.glancing() as db:
        return function(db, *args, **kwargs)


def _application(request: web.BaseRequest) -> web.Application:
    assert isinstance(request, web.Request), "only a routed request knows its application"
    return request.app
