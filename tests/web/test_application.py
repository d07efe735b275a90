"""What surrounds the handlers: headers, pages, health, metrics, and a log that names no patient."""

from __future__ import annotations

import io
import logging
import socket

import pydicom
import pytest
from support.builders import a_study
from support.objects import an_image
from support.server import until

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def built(site):
    static = site.folder / "static"
    (static / "assets").mkdir(parents=True)
    (static / "index.html").write_text("<!doctype html><title>the application</title>")
    (static / "assets" / "main-1a2b.js").write_text("1")
    (site.folder / "secret.txt").write_text("a secret")
    return site


PAGES = ("/", "/clinic", "/reading", "/rounds", "/schedule", "/admin", "/login", "/clinic/studies/1.2.3")


def test_every_page_of_the_application_is_the_application(built):
    for path in PAGES:
        answer = built.browser().get(path, headers={"Accept": "text/html,*/*"})
        assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-cache")
        assert b"the application" in answer.body


def test_hashed_files_are_kept_for_ever_and_missing_ones_are_missing(built):
    answer = built.browser().get("/assets/main-1a2b.js")
    assert (answer.status, answer.body) == (200, b"1")
    assert "immutable" in answer.headers["Cache-Control"]
    plain = built.browser().get("/assets/main-1a2b.js", headers={"Accept-Encoding": "identity"})
    assert (answer.headers["Content-Encoding"], "Content-Encoding" in plain.headers) == ("gzip", False)
    assert (plain.body, plain.headers["Content-Type"]) == (answer.body, answer.headers["Content-Type"])
    assert built.browser().get("/assets/gone.js", headers={"Accept": "text/html"}).status == 404
    assert built.browser().get("/favicon.ico").status == 404


def raw(site, path: str) -> bytes:
    """Ask as no browser would: aiohttp's client cleans paths before sending them."""
    host, _, port = site.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), 5) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return b"".join(iter(lambda: connection.recv(65536), b""))


OUTSIDE = (
    "/../secret.txt",
    "/assets/../../secret.txt",
    "/%2e%2e/secret.txt",
    "/..%2fsecret.txt",
    "/assets/..%5c..%5csecret.txt",
    "//etc/passwd",
    "/%00",
)


def test_no_path_leads_out_of_the_static_folder(built):
    for path in OUTSIDE:
        answer = raw(built, path)
        assert b"a secret" not in answer
        assert b"root:" not in answer
        assert b" 500 " not in answer.splitlines()[0], path


def test_a_link_that_points_outside_is_not_followed(built):
    (built.folder / "static" / "link.txt").symlink_to(built.folder / "secret.txt")
    assert b"a secret" not in built.browser().get("/link.txt").body


def test_without_a_built_front_end_a_sentence_says_how_to_build_it(site):
    answer = site.browser().get("/")
    assert (answer.status, b"make setup" in answer.body) == (503, True)


def test_every_answer_carries_the_safe_headers(built):
    for path in ("/", "/healthz", "/api/v1/session", "/nothing.here"):
        headers = built.browser().get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        policy = headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy
        assert "script-src 'self' 'wasm-unsafe-eval';" in policy
    assert built.browser().get("/api/v1/session").headers["Cache-Control"] == "no-store"


def test_health_and_readiness_are_open_and_name_the_parts(site):
    assert site.browser().get("/healthz").status == 200
    ready = site.browser().get("/readyz")
    assert (ready.status, ready.json()) == (200, {"database": True})


def test_the_metrics_count_without_naming_anybody(site, database, chronicle):
    uid = a_study(database, chronicle, site.clinic, patient_id="P-SECRET")
    site.browser("clinic").get(f"/api/v1/studies/{uid}")
    text = site.browser().get("/metrics").body.decode()
    assert 'route="/api/v1/studies/{study_instance_uid}"' in text
    assert "telemed_instances 2" in text
    assert 'telemed_tasks{status="requested"} 0' in text
    assert uid not in text
    assert site.browser().get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"}).status == 403


def test_the_log_repeats_nothing_of_what_is_not_http(site, caplog):
    with caplog.at_level(logging.DEBUG):
        assert b" 400 " in raw(site, "/dicom-web/studies?PatientName=王小东").splitlines()[0]
    assert "could not be read as HTTP" in caplog.text
    for part in ("王小东", "PatientName", repr("王".encode())[2:-1]):
        assert part not in caplog.text


def test_who_leaves_while_a_study_loads_is_no_failure_of_ours(site, caplog):
    image = pydicom.dcmread(io.BytesIO(an_image()))
    image.PixelData, image.Rows, image.Columns = bytes(24 << 20), 3 << 10, 4 << 10
    image.save_as(long := io.BytesIO())
    kept = site.archive.store(long.getvalue(), institution=site.clinic, transfer_syntax_uid=None, source="CT1")
    asks = (
        f"GET /dicom-web/studies/{kept.study_instance_uid} HTTP/1.1\r\nHost: x\r\nCookie: {site.browser('clinic').cookie}\r\n\r\n"
    )
    with caplog.at_level(logging.INFO):
        with socket.create_connection(site.runner.addresses[0], 5) as connection:
            connection.sendall(asks.encode())
            assert connection.recv(1) == b"H"
        assert until(lambda: " 499 " in caplog.text, 10)
    assert [one.levelname for one in caplog.records if one.levelno > logging.INFO] == []


def test_the_log_names_routes_and_no_patient(site, database, chronicle, caplog):
    uid = a_study(database, chronicle, site.clinic, patient_id="P-SECRET")
    with caplog.at_level(logging.DEBUG):
        browser = site.browser("clinic")
        browser.get(f"/api/v1/studies/{uid}")
        browser.get("/api/v1/studies?patient_id=P-SECRET")
        browser.get("/api/v1/studies?patient_name=P-SECRET")
    assert "/api/v1/studies/{study_instance_uid}" in caplog.text
    for secret in (uid, "P-SECRET", "王小东", "a long enough password", browser.csrf, browser.cookie):
        assert secret not in caplog.text


def test_a_given_request_id_is_kept_when_it_is_harmless(site):
    assert site.browser().get("/healthz", headers={"X-Request-Id": "trace-0001"}).headers["X-Request-Id"] == "trace-0001"
    assert (
        site.browser().get("/healthz", headers={"X-Request-Id": "no spaces please"}).headers["X-Request-Id"] != "no spaces please"
    )


def test_a_fault_of_ours_tells_the_caller_nothing_of_our_insides(site, database):
    with database.transaction() as db:
        db.exec_driver_sql("ALTER TABLE service_request RENAME TO gone")
        db.exec_driver_sql("ALTER TABLE organization RENAME TO gone_too")
    answer = site.browser().post("/api/v1/session", json={"username": "clinic", "password": "a long enough password"})
    assert answer.status in {500, 503}
    assert "organization" not in answer.json()["detail"] or answer.status == 503
    assert "SELECT" not in answer.body.decode()
