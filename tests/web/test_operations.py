"""Every operation of the API: who may call it, what it says when something is wrong, and that it is documented."""

from __future__ import annotations

import io
import re

import pytest

from consult.practitioners.model import Role
from web.accounts.permissions import ROLES
from web.api.operations import PREFIX
from web.api.pages import cursor_of
from web.api.table import OPERATIONS
from web.application import OPEN, ROUTES

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

PATTERN = r"{(\w+)(?::(?:[^{}]|{[^{}]*})+)?}"
JSON = {"Content-Type": "application/json"}
CHARSET = b'--b\r\nContent-Disposition: form-data; name="_charset_"\r\n\r\n' + b"x" * 40 + b"\r\n--b--\r\n"
FORM = {"Content-Type": "multipart/form-data; boundary=b"}
#: Method, path, what is sent, the status and the code of the answer.
WRONG = [
    ("POST", "/requests", {"data": b"{", "headers": JSON}, 400, "unparsable"),
    ("POST", "/requests", {"json": {"kind": "diagnosis"}}, 422, "body"),
    ("POST", "/requests", {"json": {"kind": "diagnosis", "study_instance_uid": "1.2", "institution_id": "x"}}, 422, "body"),
    ("POST", "/requests", {"data": b"a=b", "headers": {"Content-Type": "text/plain"}}, 415, "unsupported-media-type"),
    ("POST", "/requests", {"data": io.BytesIO(b"x" * 2_000_000), "headers": JSON}, 413, "request-entity-too-large"),
    ("POST", "/requests", {"json": {"kind": "diagnosis", "study_instance_uid": "1.2\0"}}, 422, "body"),
    ("POST", "/requests", {"data": b"not gzip", "headers": JSON | {"Content-Encoding": "gzip"}}, 400, "unparsable"),
    ("POST", "/recordings", {"data": b"--b\r\n--b--\r\n", "headers": FORM}, 400, "unparsable"),
    ("POST", "/recordings", {"data": CHARSET, "headers": FORM}, 400, "unparsable"),
    ("GET", "/studies?q=%00", {}, 422, "query"),
    ("GET", "/studies/alike?name=x&sex=M&birth_date=0001-01-01", {}, 422, "query"),
    ("GET", f"/studies?cursor={cursor_of('2026-01-01T00:00:00', chr(0xD800))}", {}, 422, "value"),
    ("GET", f"/tasks?cursor={cursor_of('0001-01-01T00:00:00+14:00', 'x')}", {}, 422, "cursor"),
    ("GET", "/reports?cursor=0001-01-01T00:00:00%2B14:00||x", {}, 422, "value"),
    ("GET", "/studies?patient_name=x", {}, 422, "query"),
    ("GET", "/studies?limit=100000", {}, 422, "query"),
    ("GET", "/studies?cursor=nonsense", {}, 422, "cursor"),
    ("GET", "/studies/1.2.3", {}, 404, "study"),
    ("GET", "/tasks?cursor=nonsense", {}, 422, "cursor"),
    ("GET", "/tasks?status=lost", {}, 422, "query"),
    ("GET", "/tasks/none", {}, 404, "task"),
    ("GET", "/reports/none", {}, 404, "report"),
    ("GET", "/recordings/1.2.3/analysis", {}, 404, "instance"),
    ("GET", "/nothing", {}, 404, "not-found"),
    ("PATCH", "/studies", {}, 405, "method-not-allowed"),
]

GUARDED = [operation for operation in OPERATIONS if operation.permission is not None]


def path_of(operation) -> str:
    return PREFIX + re.sub(PATTERN, "0" * 32, operation.path)


def test_without_signing_in_every_operation_answers_401(site):
    stranger = site.browser()
    for operation in GUARDED:
        answer = stranger.request(operation.method, path_of(operation))
        assert (answer.status, answer.json()["code"]) == (401, "sign-in"), operation.name


def test_without_signing_in_no_other_route_answers_either(site):
    stranger = site.browser()
    for route in ROUTES:
        path = re.sub(PATTERN, r"{\1}", route.path)
        if (route.method, path) not in OPEN:
            answer = stranger.request(route.method, re.sub(PATTERN, "1", route.path))
            assert answer.status == 401, (route.method, path)


def test_a_role_without_the_permission_is_refused_by_every_operation(site):
    browsers = {
        role: site.browser(role) for role in ("clinic", "radiologist", "cardiologist", "coordinator", "regulator", "admin")
    }
    refused = 0
    for operation in GUARDED:
        for role, browser in browsers.items():
            if Role(role) in ROLES[operation.permission]:
                continue
            answer = browser.request(operation.method, path_of(operation))
            assert (answer.status, answer.json()["code"]) == (403, "role"), (operation.name, role)
            refused += 1
    assert refused > 60


def test_every_unsafe_operation_needs_the_csrf_token(site):
    browser = site.browser("radiologist")
    browser.csrf = ""
    for operation in GUARDED:
        if operation.method != "GET":
            assert browser.request(operation.method, path_of(operation)).json()["code"] == "csrf", operation.name


def test_the_document_is_openapi_3_1_and_its_references_lead_somewhere(site):
    answer = site.browser().get(f"{PREFIX}/openapi.json")
    found = answer.json()
    assert found["openapi"] == "3.1.0"
    names = set(re.findall(r'"#/components/schemas/([^"]+)"', answer.body.decode()))
    assert names <= set(found["components"]["schemas"])
    ids = [described["operationId"] for methods in found["paths"].values() for described in methods.values()]
    assert len(ids) == len(set(ids)) == len(OPERATIONS)


def test_what_is_wrong_is_said_as_a_problem(site):
    browser = site.browser("clinic")
    for method, path, options, status, code in WRONG:
        answer = browser.request(method, PREFIX + path, **options)
        problem = answer.json()
        assert answer.headers["Content-Type"].startswith("application/problem+json")
        assert (answer.status, problem["status"], problem["code"]) == (status, status, code), path
        assert problem["detail"]
        assert problem["instance"].endswith(answer.headers["X-Request-Id"])


def test_what_was_sent_is_not_repeated_in_the_problem(site):
    answer = site.browser("clinic").post(f"{PREFIX}/requests", json={"kind": "王小东", "study_instance_uid": "1.2"})
    assert answer.status == 422
    assert "王小东" not in answer.body.decode()
