"""Signing in and out, and everything that must not open the door."""

from __future__ import annotations

import socket

import pytest
from sqlalchemy import delete, select
from support.site import CHEAPEST, PASSWORD

from consult.practitioners.tables import practitioner_role_table
from telemed.kernel.audit import audit_table
from telemed.kernel.database import Database
from telemed.kernel.errors import Conflict, Invalid
from web.accounts.actions import add_account, disable_account, set_password
from web.accounts.passwords import Passwords
from web.accounts.tables import session_table
from web.accounts.tokens import create_token, revoke_token, tokens

ME = "/api/v1/session"
STUDIES = "/dicom-web/studies"

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@ON_SQLITE
def test_a_person_signs_in_and_is_told_who_they_are(site):
    browser = site.browser()
    answer = browser.sign_in("clinic")
    user = answer.json()["user"]
    assert (user["username"], user["name"], user["roles"]) == ("clinic", "赵兰", ["clinic"])
    assert user["institution"]["name"] == "莲花乡卫生院"
    cookie = answer.headers["Set-Cookie"].casefold()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert browser.get(ME).json() == answer.json()


@ON_SQLITE
def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(site):
    wrong = site.browser().sign_in("clinic", "not the password")
    unknown = site.browser().sign_in("nobody-here", "not the password")
    assert wrong.status == unknown.status == 401
    assert {**wrong.json(), "instance": ""} == {**unknown.json(), "instance": ""}


@ON_SQLITE
def test_no_secret_is_kept_in_the_database(site):
    browser = site.browser("clinic")
    secret = browser.cookie.partition("=")[2]
    with site.database.reading() as db:
        kept = db.execute(select(session_table.c.digest)).scalars().all()
    assert kept
    assert secret not in kept


@ON_SQLITE
def test_each_sign_in_is_a_session_of_its_own(site):
    first, second = site.browser("clinic"), site.browser("clinic")
    assert first.cookie != second.cookie
    assert first.request("DELETE", ME).status == 204
    assert first.get(ME).status == 401
    assert second.get(ME).status == 200


@ON_SQLITE
def test_an_unsafe_method_without_the_csrf_token_changes_nothing(site):
    browser = site.browser("clinic")
    browser.csrf = ""
    refused = browser.request("DELETE", ME)
    assert (refused.status, refused.json()["code"]) == (403, "csrf")
    browser.csrf = "0" * 64
    assert browser.request("DELETE", ME).status == 403
    assert browser.get(ME).status == 200


@ON_SQLITE
def test_another_sites_page_cannot_sign_in_or_act(site):
    browser = site.browser("clinic")
    evil = {"Origin": "https://evil.example"}
    assert browser.request("DELETE", ME, headers=evil).json()["code"] == "origin"
    credentials = {"username": "clinic", "password": PASSWORD}
    assert site.browser().post(ME, json=credentials, headers=evil).status == 403


@ON_SQLITE
def test_a_header_that_is_no_text_or_no_address_is_nobodys(site):
    browser = site.browser("clinic")
    for headers, status in (
        ({"Authorization": "Bearer \udcff"}, 401),
        ({"Cookie": "telemed_session=\udcff"}, 401),
        ({"X-CSRF-Token": "\udcff"}, 403),
        ({"Origin": "http://["}, 403),
    ):
        assert raw(site, "DELETE /api/v1/session", browser.headers() | headers).startswith(f"HTTP/1.1 {status} "), headers
    assert browser.get(ME).status == 200


def raw(site, what: str, headers: dict[str, str]) -> str:
    """Ask as no browser would: each header goes out as the bytes it stands for."""
    host, _, port = site.url.removeprefix("http://").partition(":")
    lines = [f"{what} HTTP/1.1", "Host: x", "Connection: close", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    with socket.create_connection((host, int(port)), 5) as connection:
        connection.sendall("\r\n".join(lines).encode(errors="surrogateescape"))
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


@ON_SQLITE
def test_a_session_ends_twelve_hours_after_its_last_use(site, clock):
    browser = site.browser("clinic")
    clock.pass_(hours=11)
    assert browser.get(ME).status == 200
    clock.pass_(hours=11)
    assert browser.get(ME).status == 200
    clock.pass_(hours=12, seconds=1)
    assert browser.get(ME).status == 401


@ON_SQLITE
def test_a_new_password_ends_every_session(site, chronicle):
    browser = site.browser("clinic")
    with site.database.transaction() as db:
        set_password(db, chronicle, "clinic", Passwords(CHEAPEST).hashed("another password"), by="test")
    assert browser.get(ME).status == 401
    assert site.browser().sign_in("clinic").status == 401
    assert site.browser().sign_in("clinic", "another password").status == 200


@ON_SQLITE
def test_a_disabled_account_is_out_at_once(site, chronicle):
    browser = site.browser("clinic")
    with site.database.transaction() as db:
        disable_account(db, chronicle, "clinic", by="test")
    assert browser.get(ME).status == 401
    assert site.browser().sign_in("clinic").status == 401


@ON_SQLITE
def test_a_program_acts_by_its_token_without_csrf_until_it_is_revoked(site, chronicle):
    with site.database.transaction() as db:
        token = create_token(db, chronicle, "clinic", "the gateway", by="test")
    program, by_token = site.browser(), {"Authorization": f"Bearer {token}"}
    assert program.get(ME, headers=by_token).json()["csrf_token"] == ""
    wanted = {"study_instance_uid": "1.2.3", "kind": "diagnosis"}
    assert program.post("/api/v1/requests", json=wanted, headers=by_token).status == 404
    with site.database.transaction() as db:
        revoke_token(db, chronicle, tokens(db)[0].id, by="test")
    assert program.get(ME, headers=by_token).status == 401
    assert program.get(ME, headers={"Authorization": "Bearer tm_guess"}).status == 401


@ON_SQLITE
def test_what_another_process_writes_about_a_token_or_its_owner_holds_from_the_next_request_on(site, chronicle):
    elsewhere = Database(site.database.url.render_as_string(hide_password=False))
    with elsewhere.transaction() as db:
        first, second = (create_token(db, chronicle, "clinic", label, by="test") for label in ("gateway", "archive"))
    program = site.browser()
    by_first, by_second = ({"Authorization": f"Bearer {token}"} for token in (first, second))
    assert [program.get(ME, headers=by_first).status for _ in range(3)] == [200] * 3
    with elsewhere.transaction() as db:
        revoke_token(db, chronicle, next(one.id for one in tokens(db) if one.label == "gateway"), by="test")
    assert program.get(ME, headers=by_first).status == 401
    assert program.get(STUDIES, headers=by_second).status == 204
    with elsewhere.transaction() as db:
        owner = site.people["clinic"].practitioner_id
        db.execute(delete(practitioner_role_table).where(practitioner_role_table.c.practitioner_id == owner))
    assert program.get(STUDIES, headers=by_second).status == 403
    elsewhere.close()


def test_signing_in_and_failing_are_in_the_audit_trail_without_the_typed_name(site):
    site.browser("clinic")
    site.browser().sign_in("my-password-in-the-wrong-field", "x")
    with site.database.reading() as db:
        rows = db.execute(select(audit_table)).mappings().all()
    assert {"SignedIn", "SignInFailed"} <= {row["action"] for row in rows}
    assert "wrong-field" not in str(rows)


@ON_SQLITE
def test_an_account_needs_a_plain_name_of_its_own(site, chronicle):
    hashed, viewer = Passwords(CHEAPEST).hashed(PASSWORD), site.people["clinic"]
    with site.database.transaction() as db:
        with pytest.raises(Invalid):
            add_account(db, chronicle, username="../x", password_hash=hashed, practitioner_id=viewer.practitioner_id, by="test")
        with pytest.raises(Conflict):
            add_account(db, chronicle, username="clinic", password_hash=hashed, practitioner_id="x", by="test")


def test_a_short_password_is_refused():
    with pytest.raises(Invalid):
        Passwords(CHEAPEST).hashed("short")


def test_the_usual_parameters_are_those_of_rfc_9106():
    assert "$argon2id$v=19$m=65536,t=3,p=4$" in Passwords().hashed(PASSWORD)
