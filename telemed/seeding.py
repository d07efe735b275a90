"""The demo's institutions, agreements and people."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from sqlalchemy import Connection, select

from consult.consents.actions import let_route
from consult.practitioners.actions import add_agreement, add_institution, add_practitioner, bind_ae
from consult.practitioners.model import SYSTEM, Level, Qualification, Role
from consult.practitioners.tables import organization_table
from telemed.kernel.audit import Chronicle
from telemed.kernel.database import Database
from web.accounts.actions import add_account, count_accounts
from web.accounts.passwords import Passwords

PASSWORD = "telemed-demo"  # noqa: S105 - public on purpose: the demo prints it
CLINIC = "莲花乡卫生院"
CLINIC_AE = "LIANHUA"


class SampleUser(NamedTuple):
    """One account of the demo."""

    username: str
    name: str
    institution: str
    roles: tuple[Role, ...]


INSTITUTIONS = (
    (CLINIC, "Lianhua Township Clinic", Level.TOWNSHIP),
    ("青山县医院", "Qingshan County Hospital", Level.COUNTY),
    ("省医院", "Provincial Hospital", Level.PROVINCIAL),
)
AGREEMENTS = ((CLINIC, "青山县医院"), ("青山县医院", "省医院"))
USERS = (
    SampleUser("clinic", "演示·卫生院", CLINIC, (Role.CLINIC,)),
    SampleUser("radiologist", "演示·放射科医师", "青山县医院", (Role.RADIOLOGIST,)),
    SampleUser("cardiologist", "演示·心内科医师", "青山县医院", (Role.CARDIOLOGIST,)),
    SampleUser("coordinator", "演示·协调员", "青山县医院", (Role.COORDINATOR,)),
    SampleUser("regulator", "演示·监管员", "省医院", (Role.REGULATOR,)),
    SampleUser("admin", "演示·管理员", "省医院", (Role.ADMIN,)),
)
PAPERS = "演示：书面同意书由卫生院保管 / demonstration: the clinic keeps the papers"
#: Nobody's number; dispatch chooses only whose registration and years are recorded.
QUALIFIED = Qualification("DEMO", date(2010, 1, 1))
#: Agreements of the demo began before any sample study was made.
SINCE = date(2020, 1, 1)


def seed(database: Database, chronicle: Chronicle) -> None:
    """Create the sample institutions, agreements and accounts, unless there are accounts already."""
    with database.reading() as db:
        if count_accounts(db):
            return
    password_hash = Passwords().hashed(PASSWORD)  # one for all: the password is public, and hashing is slow on purpose
    with database.transaction() as db:
        ids = {
            name: add_institution(db, chronicle, name=name, name_en=name_en, kind=kind, by=SYSTEM)
            for name, name_en, kind in INSTITUTIONS
        }
        agreements = {
            asking: add_agreement(
                db, chronicle, institution_id=ids[asking], performer_id=ids[answering], valid_from=SINCE, by=SYSTEM
            )
            for asking, answering in AGREEMENTS
        }
        bind_ae(db, chronicle, ae_title=CLINIC_AE, institution_id=ids[CLINIC], by=SYSTEM)
        for user in USERS:
            person = add_practitioner(
                db,
                chronicle,
                name=user.name,
                institution_id=ids[user.institution],
                roles=user.roles,
                qualification=QUALIFIED,
                by=SYSTEM,
            )
            add_account(
                db,
                chronicle,
                username=user.username,
                password_hash=password_hash,
                practitioner_id=person,
                by="demo",
            )
            if user.institution == CLINIC:
                let_route(db, chronicle, agreements[CLINIC], keeper_id=person, note=PAPERS, by=SYSTEM)


def clinic_id(db: Connection) -> str | None:
    """Return the id of the demo clinic, None where there is none."""
    found = db.execute(select(organization_table.c.id).where(organization_table.c.name == CLINIC)).scalar()
    return None if found is None else str(found)
