"""What alembic runs: every table of the house is known before it compares or migrates."""

from __future__ import annotations

from alembic import context

import consult.delivery
import consult.practitioners.tables
import consult.queue.tables
import consult.reports.tables
import consult.requests.tables
import consult.rounds.tables
import consult.turnaround.tables
import dicom_node.archive.tables
import telemed.kernel.audit
import telemed.kernel.events
import web.accounts.tables
from telemed.kernel.database import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection, target_metadata=metadata, render_as_batch=connection.dialect.name == "sqlite", compare_type=True
)
with context.begin_transaction():
    context.run_migrations()
