"""`telemed user`, `telemed institution`, `telemed token`: the administrator at the console."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from sqlalchemy import Connection

from consult.practitioners import actions, views
from consult.practitioners.model import SYSTEM, Level, Practitioner, Role
from telemed.config import Config
from telemed.keeping import Kept, kept
from telemed.kernel.errors import Invalid, NotFound
from web.accounts import actions as accounts
from web.accounts.passwords import Passwords
from web.accounts.tokens import create_token as new_token

CONSOLE = "console"
MOST_ROWS = 10_000


def add_user(config: Config, username: str, password: str, *, name: str, institution: str, roles: Sequence[str]) -> None:
    """Create a practitioner of *institution* (by either name) who signs in as *username*."""
    try:
        held = {Role(role) for role in roles}
    except ValueError as error:
        raise Invalid(f"{error}: the roles are {', '.join(Role)}") from None
    password_hash = Passwords().hashed(password)
    with _writing(config) as (store, db):
        place = institution_named(db, institution)
        person = actions.add_practitioner(db, store.chronicle, name=name or username, institution_id=place, roles=held, by=SYSTEM)
        accounts.add_account(
            db, store.chronicle, username=username, password_hash=password_hash, practitioner_id=person, by=CONSOLE
        )


def set_password(config: Config, username: str, password: str) -> None:
    """Give *username* a new password and end their sessions."""
    password_hash = Passwords().hashed(password)
    with _writing(config) as (store, db):
        accounts.set_password(db, store.chronicle, username, password_hash, by=CONSOLE)


def list_users(config: Config) -> list[str]:
    """Return a line for each account: user name, roles, person, institution."""
    with kept(config) as store, store.database.reading() as db:
        lines = []
        for account in accounts.accounts(db):
            person = views.practitioner(db, account.practitioner_id)
            state = " (disabled)" if account.disabled_at else ""
            lines.append(f"{account.username}\t{','.join(person.roles)}\t{person.name}\t{person.institution.name}{state}")
        return lines


def add_institution(config: Config, name: str, *, name_en: str, kind: str, ae_title: str) -> None:
    """Take in an institution and, when given, the AE title its modalities call by."""
    with _writing(config) as (store, db):
        _add(store, db, {"name": name, "name_en": name_en, "kind": kind, "ae_title": ae_title})


def import_institutions(config: Config, file: Path) -> str:
    """Take in a CSV (UTF-8; columns name, name_en, kind, ae_title), all of it or none, and say how many came."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            rows = list(csv.DictReader(text))[: MOST_ROWS + 1]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Invalid(f"{file}: cannot be read as CSV in UTF-8 ({error})") from error
    if not rows or "name" not in rows[0]:
        raise Invalid(f"{file}: the first line must name the columns name, name_en, kind and ae_title")
    if len(rows) > MOST_ROWS:
        raise Invalid(f"{file}: more than {MOST_ROWS} institutions; split the file")
    with _writing(config) as (store, db):
        for number, row in enumerate(rows, start=2):
            try:
                _add(store, db, row)
            except Invalid as error:
                raise Invalid(f"{file}, line {number}: {error.sentence}") from error
    return f"{len(rows)} institutions were taken in"


def list_institutions(config: Config) -> list[str]:
    """Return a line for each institution: kind and both names."""
    with kept(config) as store, store.database.reading() as db:
        return [f"{one.kind}\t{one.name}\t{one.name_en}" for one in views.institutions(db)]


def create_token(config: Config, username: str, label: str) -> str:
    """Return a new token by which a program acts as *username*; it is shown this once."""
    with _writing(config) as (store, db):
        return new_token(db, store.chronicle, username, label=label, by=CONSOLE)


def trust_authority(config: Config, file: Path) -> list[str]:
    """Believe the authorities in *file* (PEM), for ever, and return their names."""
    with _writing(config) as (store, db):
        trusted = store.authority.trust(file.read_bytes())
        names = [one.subject.rfc4514_string() for one in trusted]
        news = {"certificates": [one.fingerprint(SHA256()).hex() for one in trusted], "names": names}
        store.chronicle.enter(db, "AuthorityTrusted", "authority", news, actor=CONSOLE, institution="", entity="Authority")
    return names


def import_certificate(config: Config, username: str, file: Path, password: str) -> str:
    """Let *username* sign with the key and certificate in *file* (PEM or PKCS#12), and say whose it is and until when."""
    with _writing(config) as (store, db):
        person = _person(db, username)
        kept = store.authority.keep_issued(person.id, file.read_bytes(), password, store.chronicle.clock.now())
        said = f"{kept.subject.rfc4514_string()}, by {kept.issuer.rfc4514_string()}, until {kept.not_valid_after_utc:%Y-%m-%d}"
        _enter_certificate(store, db, "CertificateImported", person, {"sha256": kept.fingerprint(SHA256()).hex(), "said": said})
    return f"{person.name} signs as {said}"


def remove_certificate(config: Config, username: str) -> None:
    """Let *username* sign with a certificate of the house's own authority again."""
    with _writing(config) as (store, db):
        person = _person(db, username)
        store.authority.forget_issued(person.id)
        _enter_certificate(store, db, "CertificateRemoved", person, {})


def _person(db: Connection, username: str) -> Practitioner:
    for account in accounts.accounts(db):
        if account.username == username:
            return views.practitioner(db, account.practitioner_id)
    raise NotFound(f"there is no user {username!r}; `telemed user list` names them", code="account")


def _enter_certificate(store: Kept, db: Connection, type_: str, person: Practitioner, news: dict[str, str]) -> None:
    data = {"practitioner": person.id, **news}
    home = person.institution.id
    store.chronicle.enter(db, type_, person.id, data, actor=CONSOLE, institution=home, entity="Practitioner")


@contextmanager
def _writing(config: Config) -> Iterator[tuple[Kept, Connection]]:
    with kept(config) as store, store.database.transaction() as db:
        yield store, db


def _add(store: Kept, db: Connection, row: dict[str, str]) -> None:
    try:
        level = Level(row.get("kind") or Level.TOWNSHIP)
    except ValueError as error:
        raise Invalid(f"{error}: the kinds are {', '.join(Level)}") from None
    place = actions.add_institution(
        db, store.chronicle, name=row["name"], name_en=row.get("name_en") or "", kind=level, by=SYSTEM
    )
    if row.get("ae_title"):
        actions.bind_ae(db, store.chronicle, ae_title=row["ae_title"], institution_id=place, by=SYSTEM)


def institution_named(db: Connection, name: str) -> str:
    """Return the id of the institution of that name, in either language; NotFound when there is none."""
    for one in views.institutions(db):
        if name in (one.id, one.name, one.name_en):
            return one.id
    raise NotFound(f"there is no institution {name!r}; `telemed institution list` names them")
