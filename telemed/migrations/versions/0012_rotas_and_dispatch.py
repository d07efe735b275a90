"""Rotas and promised hours; what dispatch chose and why; the queue in the order in which tasks should be begun."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from alembic import op

from telemed.kernel.database import UtcDateTime

revision = "0012"
down_revision = "0011"

#: Minutes of reading by lane and of head start by priority, as this version weighed them.
READING = {"ecg": 3, "ecg-critical": 2, "stroke": 6, "chest-pain": 5, "maternal": 6, "pathology": 20, "mdt": 45}
HEAD_START = {"stat": 60, "asap": 30, "urgent": 10}
AT_ONCE = 1000


def upgrade() -> None:
    with op.batch_alter_table("practitioner") as practitioner:
        practitioner.add_column(sa.Column("registration", sa.String(length=40), nullable=False, server_default=""))
        practitioner.add_column(sa.Column("practising_since", sa.Date(), nullable=True))
        practitioner.add_column(sa.Column("expertise", sa.JSON(), nullable=False, server_default="[]"))
    with op.batch_alter_table("cooperation_agreement") as agreement:
        agreement.add_column(sa.Column("liability", sa.Text(), nullable=False, server_default=""))
        agreement.add_column(sa.Column("price", sa.String(length=100), nullable=False, server_default=""))
        agreement.add_column(sa.Column("warned_of", sa.Date(), nullable=True))
    with op.batch_alter_table("service_request") as request:
        request.add_column(sa.Column("wanted", sa.String(length=16), nullable=True))
    with op.batch_alter_table("task") as task:
        task.add_column(sa.Column("assigned_id", sa.String(length=32), nullable=True))
        task.add_column(sa.Column("dispatch", sa.JSON(), nullable=False, server_default="[]"))
        task.add_column(sa.Column("wanted", sa.String(length=16), nullable=True))
        task.add_column(sa.Column("reading_s", sa.Integer(), nullable=False, server_default="480"))
        task.add_column(sa.Column("begin_by", UtcDateTime(), nullable=True))
        task.create_foreign_key(op.f("fk_task_assigned_id_practitioner"), "practitioner", ["assigned_id"], ["id"])
    _fill()
    with op.batch_alter_table("task") as task:
        task.alter_column("begin_by", existing_type=UtcDateTime(), nullable=False)
        task.alter_column("reading_s", server_default=None)
        task.drop_index(op.f("ix_task_performer_id_status_priority_rank_due_at_id"))
        task.create_index(op.f("ix_task_performer_id_status_begin_by_id"), ["performer_id", "status", "begin_by", "id"])
        task.create_index(op.f("ix_task_owner_id_status_completed_at"), ["owner_id", "status", "completed_at"])
        task.create_index(op.f("ix_task_assigned_id_status"), ["assigned_id", "status"])
    _create_rotas()


def _fill() -> None:
    """Give every task its place in the queue."""
    db = op.get_bind()
    names = ("id", "lane", "priority", "reading_s")
    times = (sa.column("due_at", UtcDateTime()), sa.column("begin_by", UtcDateTime()))
    task = sa.table("task", *(sa.column(name) for name in names), *times)
    placed = sa.update(task).where(task.c.id == sa.bindparam("key"))
    last = ""
    query = sa.select(task.c.id, task.c.lane, task.c.priority, task.c.due_at).order_by(task.c.id).limit(AT_ONCE)
    while rows := db.execute(query.where(task.c.id > last)).all():
        values = []
        for row in rows:
            reading = READING.get(row.lane, 8)
            begin_by = row.due_at - timedelta(minutes=reading + HEAD_START.get(row.priority, 0))
            values.append({"key": row.id, "seconds": reading * 60, "begin": begin_by})
        db.execute(placed.values(reading_s=sa.bindparam("seconds"), begin_by=sa.bindparam("begin", type_=UtcDateTime())), values)
        last = rows[-1].id


def _create_rotas() -> None:
    op.create_table(
        "duty",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("institution_id", sa.String(length=32), nullable=False),
        sa.Column("practitioner_id", sa.String(length=32), nullable=False),
        sa.Column("specialty", sa.String(length=16), nullable=False),
        sa.Column("lane", sa.String(length=16), nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("starts_at", UtcDateTime(), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=False),
        sa.Column("cancelled_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["institution_id"], ["organization.id"], name=op.f("fk_duty_institution_id_organization")),
        sa.ForeignKeyConstraint(["practitioner_id"], ["practitioner.id"], name=op.f("fk_duty_practitioner_id_practitioner")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duty")),
    )
    op.create_index(op.f("ix_duty_institution_id_ends_at"), "duty", ["institution_id", "ends_at"])
    op.create_index(op.f("ix_duty_practitioner_id_ends_at"), "duty", ["practitioner_id", "ends_at"])
    op.create_table(
        "duty_change",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("duty_id", sa.String(length=32), nullable=False),
        sa.Column("other_duty_id", sa.String(length=32), nullable=True),
        sa.Column("giver_id", sa.String(length=32), nullable=False),
        sa.Column("taker_id", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.String(length=400), nullable=False),
        sa.Column("giver_agreed_at", UtcDateTime(), nullable=True),
        sa.Column("taker_agreed_at", UtcDateTime(), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["duty_id"], ["duty.id"], name=op.f("fk_duty_change_duty_id_duty")),
        sa.ForeignKeyConstraint(["other_duty_id"], ["duty.id"], name=op.f("fk_duty_change_other_duty_id_duty")),
        sa.ForeignKeyConstraint(["giver_id"], ["practitioner.id"], name=op.f("fk_duty_change_giver_id_practitioner")),
        sa.ForeignKeyConstraint(["taker_id"], ["practitioner.id"], name=op.f("fk_duty_change_taker_id_practitioner")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duty_change")),
    )
    op.create_index(op.f("ix_duty_change_duty_id"), "duty_change", ["duty_id"])
    op.create_table(
        "promised_hours",
        sa.Column("institution_id", sa.String(length=32), nullable=False),
        sa.Column("specialty", sa.String(length=16), nullable=False),
        sa.Column("days", sa.String(length=7), nullable=False),
        sa.Column("from_hour", sa.Integer(), nullable=False),
        sa.Column("until_hour", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["institution_id"], ["organization.id"], name=op.f("fk_promised_hours_institution_id_organization")
        ),
        sa.PrimaryKeyConstraint("institution_id", "specialty", name=op.f("pk_promised_hours")),
    )
    op.create_table(
        "uncovered_hour",
        sa.Column("institution_id", sa.String(length=32), nullable=False),
        sa.Column("specialty", sa.String(length=16), nullable=False),
        sa.Column("hour_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["institution_id"], ["organization.id"], name=op.f("fk_uncovered_hour_institution_id_organization")
        ),
        sa.PrimaryKeyConstraint("institution_id", "specialty", "hour_at", name=op.f("pk_uncovered_hour")),
    )


def downgrade() -> None:
    for table in ("uncovered_hour", "promised_hours", "duty_change", "duty"):
        op.drop_table(table)
    with op.batch_alter_table("task") as task:
        for index in ("assigned_id_status", "owner_id_status_completed_at", "performer_id_status_begin_by_id"):
            task.drop_index(op.f(f"ix_task_{index}"))
        columns = ["performer_id", "status", "priority_rank", "due_at", "id"]
        task.create_index(op.f("ix_task_performer_id_status_priority_rank_due_at_id"), columns)
        task.drop_constraint(op.f("fk_task_assigned_id_practitioner"), type_="foreignkey")
        for column in ("begin_by", "reading_s", "wanted", "dispatch", "assigned_id"):
            task.drop_column(column)
    with op.batch_alter_table("service_request") as request:
        request.drop_column("wanted")
    with op.batch_alter_table("cooperation_agreement") as agreement:
        for column in ("warned_of", "price", "liability"):
            agreement.drop_column(column)
    with op.batch_alter_table("practitioner") as practitioner:
        for column in ("expertise", "practising_since", "registration"):
            practitioner.drop_column(column)
