"""Which role may do what: one table. Whose data they may do it to is decided by consult, per institution."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from consult.phrases.actions import WRITERS
from consult.practitioners.model import Role, Viewer
from telemed.kernel.errors import Refused


class Permission(StrEnum):
    """What an operation of the API asks of the one who calls it."""

    BE_SIGNED_IN = "be-signed-in"
    READ_STUDIES = "read-studies"
    SEND_STUDIES = "send-studies"
    REQUEST = "request"
    READ_TASKS = "read-tasks"
    WORK_TASKS = "work-tasks"
    MOVE_TASKS = "move-tasks"
    READ_REPORTS = "read-reports"
    WRITE_REPORTS = "write-reports"
    WRITE_PHRASES = "write-phrases"
    ACKNOWLEDGE_REPORTS = "acknowledge-reports"
    READ_PEOPLE = "read-people"
    READ_INSTITUTIONS = "read-institutions"
    READ_FIGURES = "read-figures"
    MEET = "meet"
    READ_ROTA = "read-rota"
    KEEP_ROTA = "keep-rota"
    MANAGE_NODE = "manage-node"
    RECONCILE = "reconcile"
    SET_CHARSETS = "set-charsets"


_EVERYONE = frozenset(Role)
_SPECIALISTS = frozenset({Role.RADIOLOGIST, Role.CARDIOLOGIST})
_CLINICAL = _SPECIALISTS | {Role.CLINIC, Role.COORDINATOR}

ROLES: Mapping[Permission, frozenset[Role]] = {
    Permission.BE_SIGNED_IN: _EVERYONE,
    Permission.READ_STUDIES: _CLINICAL,
    Permission.SEND_STUDIES: _CLINICAL,
    Permission.REQUEST: frozenset({Role.CLINIC, Role.COORDINATOR}),
    Permission.READ_TASKS: _CLINICAL,
    Permission.WORK_TASKS: _SPECIALISTS,
    Permission.MOVE_TASKS: _SPECIALISTS | {Role.COORDINATOR},
    Permission.READ_REPORTS: _CLINICAL,
    Permission.WRITE_REPORTS: _SPECIALISTS,
    Permission.WRITE_PHRASES: WRITERS,
    Permission.ACKNOWLEDGE_REPORTS: frozenset({Role.CLINIC, Role.COORDINATOR}),
    Permission.READ_PEOPLE: _CLINICAL | {Role.ADMIN},
    Permission.READ_INSTITUTIONS: _EVERYONE,
    Permission.READ_FIGURES: frozenset({Role.REGULATOR, Role.COORDINATOR, Role.ADMIN}),
    Permission.MEET: _CLINICAL,
    Permission.READ_ROTA: _SPECIALISTS | {Role.COORDINATOR, Role.ADMIN},
    Permission.KEEP_ROTA: frozenset({Role.COORDINATOR, Role.ADMIN}),
    Permission.MANAGE_NODE: frozenset({Role.ADMIN}),
    Permission.RECONCILE: frozenset({Role.COORDINATOR, Role.ADMIN}),
    Permission.SET_CHARSETS: frozenset({Role.ADMIN}),
}


def require(viewer: Viewer, permission: Permission) -> None:
    """Return when one of *viewer*'s roles has *permission*.

    Raises
    ------
    Refused
        when none has.
    """
    if not ROLES[permission] & viewer.roles:
        allowed = ", ".join(sorted(ROLES[permission]))
        raise Refused(f"this is for the roles {allowed}; ask your administrator if you need it", code="role")
