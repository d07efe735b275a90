"""Where the frames of objects with many lie: found once, when their study has settled."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, String, Table

from telemed.kernel.database import metadata

#: *layout* is what `Layout.to_bytes` gives; *digest* the sha256 of the file, which is all that the layout depends on.
frame_layout_table = Table(
    "frame_layout",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("layout", LargeBinary, nullable=False),
)
