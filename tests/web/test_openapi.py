"""The document and the tables: everything routed is described, everything described can be written."""

from __future__ import annotations

import inspect
import re

from pydantic import TypeAdapter

from consult.practitioners.model import Role
from web.accounts.permissions import ROLES, Permission
from web.api.openapi import document
from web.api.operations import PREFIX
from web.api.table import OPERATIONS
from web.application import OPEN, ROUTES


def test_what_is_open_to_all_is_named_one_by_one():
    assert {path for _, path in OPEN} == {
        "/healthz",
        "/readyz",
        "/metrics",
        "/{path}",
        f"{PREFIX}/openapi.json",
        f"{PREFIX}/session",
    }


def test_every_route_under_the_api_is_documented_or_a_known_exception():
    documented = {(method.upper(), path) for path, methods in document(OPERATIONS)["paths"].items() for method in methods}
    undocumented = {
        (route.method, re.sub(r"{(\w+)(?::(?:[^{}]|{[^{}]*})+)?}", r"{\1}", route.path))
        for route in ROUTES
        if route.path.startswith(PREFIX)
    } - documented
    assert undocumented == {
        ("GET", f"{PREFIX}/openapi.json"),
        ("GET", f"{PREFIX}/live"),
        ("GET", f"{PREFIX}/rounds/{{round_id}}/signal"),
    }


def test_every_handler_has_a_summary_and_an_answer_that_can_be_written():
    for operation in OPERATIONS:
        assert operation.summary.endswith("."), operation.name
        assert inspect.iscoroutinefunction(operation.handler)
        if operation.answer is not None:
            TypeAdapter(operation.answer).json_schema(mode="serialization")


def test_everybody_has_some_permission_and_only_specialists_sign():
    for role in Role:
        assert any(role in roles for roles in ROLES.values())
    assert ROLES[Permission.WRITE_REPORTS] == {Role.RADIOLOGIST, Role.CARDIOLOGIST}
