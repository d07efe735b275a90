"""The demo clinic at the server's doors, signed in once for each server."""

from __future__ import annotations

from functools import cache

from support.server import Client, Server


@cache
def _signed_in(http: str) -> Client:
    return Client(http).sign_in("clinic", "telemed-demo")


def clinic_of(server: Server) -> Client:
    """Return the session of the demo's clinic at *server*."""
    return _signed_in(server.http)
