"""What alembic runs: every table of the house is known before it compares or migrates."""

from __future__ import annotations

from importlib import import_module

from alembic import context

from telemed.kernel.database import metadata

TABLES = (
    "telemed.kernel.events",
    "telemed.kernel.audit",
    "dicom_node.archive.tables",
    "dicom_node.imaging.tables",
    "dicom_node.tables",
    "consult.practitioners.tables",
    "consult.consents.tables",
    "consult.requests.tables",
    "consult.schedule.tables",
    "consult.triage.tables",
    "consult.gate.tables",
    "consult.queue.tables",
    "consult.turnaround.tables",
    "consult.phrases.tables",
    "consult.reports.tables",
    "consult.sections.tables",
    "consult.readings.tables",
    "consult.peer_review.tables",
    "consult.delivery.tables",
    "consult.rounds.tables",
    "web.accounts.tables",
)
for module in TABLES:
    import_module(module)

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    # SQLite alters a table by copying it.
    render_as_batch=connection.dialect.name == "sqlite",
    user_module_prefix="",
)
with context.begin_transaction():
    context.run_migrations()
