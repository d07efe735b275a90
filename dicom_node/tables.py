"""How the node remembers its peers, and what it still owes them."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, Index, Integer, String, Table, UniqueConstraint, false

from telemed.kernel.database import Counter, UtcDateTime, metadata

#: Where an AE title is reached. *institution* empty: a destination for every institution's equipment. *tls*: spoken to over
#: TLS; *certificate_sha256* is then the certificate it must show, empty for any that the authority signed. *commits*: what is
#: forwarded to it is done once it has committed to keep it (PS3.4 Annex J).
peer_table = Table(
    "peer",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("ae_title", String(16), nullable=False, unique=True),
    Column("host", String(255), nullable=False),
    Column("port", Integer, nullable=False),
    Column("institution", String(64), nullable=False),
    Column("tls", Boolean, nullable=False, server_default=false()),
    Column("certificate_sha256", String(64), nullable=False, server_default=""),
    Column("commits", Boolean, nullable=False, server_default=false()),
)

#: A storage commitment that was asked for and not yet reported; it goes once the peer has taken the report.
commitment_table = Table(
    "storage_commitment",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("transaction_uid", String(64), nullable=False),
    Column("institution", String(64), nullable=False),
    Column("ae_title", String(16), nullable=False),
    Column("instances", JSON, nullable=False),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("try_at", UtcDateTime, nullable=False),
    Index(None, "try_at"),
)

#: A performed procedure step (PS3.3 C.4.13-C.4.16) as the modality told it; *attributes* are its texts by keyword.
step_table = Table(
    "performed_procedure_step",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("institution", String(64), nullable=False),
    Column("sop_instance_uid", String(64), nullable=False),
    Column("ae_title", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("study_instance_uid", String(64), nullable=False),
    Column("modality", String(16), nullable=False),
    Column("instance_uids", JSON, nullable=False),
    Column("attributes", JSON, nullable=False),
    Column("begun_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    UniqueConstraint("institution", "sop_instance_uid"),
    Index(None, "institution", "study_instance_uid"),
)

#: What is sent on as it arrives: objects of *institution* and *modality* (empty: any) to the peer *ae_title*; *reports*: only
#: what the house has written itself.
forwarding_rule_table = Table(
    "forwarding_rule",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("ae_title", String(16), nullable=False),
    Column("institution", String(64), nullable=False),
    Column("modality", String(16), nullable=False),
    Column("reports", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("ae_title", "institution", "modality", "reports"),
)

#: An object that a destination is still to get; the row goes once the destination has it. *refusals* counts its answers,
#: *interruptions* the connections that ended over the object. *given_up_at*: refused too often, a person decides. *sent_at*: the
#: destination has it and is still to commit to it; *refusals* then counts how often it was asked.
forwarding_table = Table(
    "forwarding",
    metadata,
    Column("place", Counter, primary_key=True, autoincrement=True),
    Column("ae_title", String(16), nullable=False),
    Column("institution", String(64), nullable=False),
    Column("study_instance_uid", String(64), nullable=False),
    Column("sop_instance_uid", String(64), nullable=False),
    Column("queued_at", UtcDateTime, nullable=False),
    Column("refusals", Integer, nullable=False),
    Column("interruptions", Integer, nullable=False),
    Column("try_at", UtcDateTime, nullable=False),
    Column("given_up_at", UtcDateTime),
    Column("error", String(400), nullable=False),
    Column("sent_at", UtcDateTime),
    UniqueConstraint("ae_title", "institution", "sop_instance_uid"),
    Index(None, "ae_title", "given_up_at", "interruptions", "place"),
)

#: What the house has written itself and a destination has got: people ask what became of a report.
forwarded_table = Table(
    "forwarded",
    metadata,
    Column("ae_title", String(16), primary_key=True),
    Column("institution", String(64), primary_key=True),
    Column("sop_instance_uid", String(64), primary_key=True),
    Column("sent_at", UtcDateTime, nullable=False),
)

#: How it goes with a destination: since it was last reached, *failures* in a row; nothing is tried before *try_at*.
forwarding_destination_table = Table(
    "forwarding_destination",
    metadata,
    Column("ae_title", String(16), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("try_at", UtcDateTime, nullable=False),
    Column("error", String(400), nullable=False),
    Column("sent", Integer, nullable=False),
    Column("last_sent_at", UtcDateTime),
)
