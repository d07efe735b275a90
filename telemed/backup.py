"""`telemed backup` and `telemed restore`: everything that is kept, in one tar that either database can be filled from.

    telemed.json          which schema, which tables, how many rows
    tables/<name>.jsonl   a row a line, the columns in the table's order; times in RFC 3339, bytes in base64
    blobs/<digest>.dcm    every object a row names
    authority/<name>.pem  the keys and certificates that reports are signed with: keep the file as secret as the server

The rows are one consistent view, read before the blobs: blobs are only ever added, so every row finds its own.
"""

from __future__ import annotations

import base64
import io
import json
import os
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, Date, LargeBinary, Table, func, insert, select

from dicom_node.archive.blobs import Blobs
from telemed import keeping, schema
from telemed.config import Config
from telemed.kernel.database import UtcDateTime, metadata
from telemed.kernel.errors import Invalid, Refused

FORMAT = 1
AUTHORITY = "authority/"
#: A key and its certificate.
LARGEST_KEY = 1 << 16
ROWS_AT_ONCE = 500
#: A line is one row: a report's PDF is the largest thing in one.
LONGEST_LINE = 256 << 20
#: No backup of ours names more tables, and none is longer than this as JSON.
LARGEST_CONTENTS = 1 << 20


def backup(config: Config, out: Path) -> str:
    """Write everything to *out* and say what it holds; the server may go on running meanwhile.

    Raises
    ------
    Refused
        when *out* exists already, or a crash left something that only a start of the server files.
    """
    if out.exists():
        raise Refused(f"{out} exists already; name a new file")
    partial = out.with_name(out.name + ".part")
    if keeping.is_interrupted(config):
        raise Refused("a crash left objects that are acknowledged and not yet filed: start the server once, then back up")
    with keeping.kept(config) as store, partial.open("wb") as file:
        partial.chmod(0o600)
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
            with store.database.reading() as db:
                rows = _write_tables(tar, db)
            objects = _write_blobs(tar, store.blobs)
            for name, key in store.authority.files().items():
                _add(tar, f"{AUTHORITY}{name}", io.BytesIO(key))
            contents = {"format": FORMAT, "schema": schema.newest_version(), "tables": rows}
            _add(tar, "telemed.json", io.BytesIO(json.dumps(contents).encode()))
        file.flush()
        os.fsync(file.fileno())
    partial.rename(out)
    return f"{out}: {sum(rows.values())} rows, {objects} objects"


def restore(config: Config, source: Path) -> str:
    """Fill an empty server from *source* and say what came; all of the rows or none.

    Raises
    ------
    Refused
        when the server keeps something already, or *source* is of another schema.
    Invalid
        when *source* is no backup, or an object in it is not what its name says.
    """
    with keeping.kept(config) as store:
        with store.database.reading() as db:
            if any(db.execute(select(table).limit(1)).first() is not None for table in metadata.sorted_tables):
                raise Refused("this server keeps something already; restore into an empty data folder and an empty database")
        try:
            with tarfile.open(source, mode="r:") as tar:
                contents = _contents(tar)
                if contents["schema"] != schema.newest_version():
                    raise Refused(
                        f"{source} has schema {contents['schema']}, this program {schema.newest_version()}: use that version"
                    )
                objects = sum(1 for _ in _read_blobs(tar, store.blobs))
                for member in tar:
                    if member.name.startswith(AUTHORITY) and member.isfile():
                        store.authority.restore(member.name.removeprefix(AUTHORITY), _open(tar, member.name).read(LARGEST_KEY))
                with store.database.transaction() as db:
                    rows = sum(_read_table(tar, db, table) for table in metadata.sorted_tables)
        except (tarfile.TarError, KeyError, ValueError, EOFError, OSError) as error:
            raise Invalid(f"{source} is not a whole backup: {error}") from error
    return f"{source}: {rows} rows, {objects} objects; `telemed verify` re-reads them all"


def _write_tables(tar: tarfile.TarFile, db: Connection) -> dict[str, int]:
    counts = {}
    for table in metadata.sorted_tables:
        counts[table.name] = 0
        with tempfile.TemporaryFile() as lines:
            for row in db.execution_options(yield_per=ROWS_AT_ONCE).execute(select(table)):
                lines.write(json.dumps([_said(value) for value in row], ensure_ascii=False).encode() + b"\n")
                counts[table.name] += 1
            _add(tar, f"tables/{table.name}.jsonl", lines)
    return counts


def _write_blobs(tar: tarfile.TarFile, blobs: Blobs) -> int:
    count = 0
    for digest in blobs.digests():
        tar.add(blobs.path(digest), arcname=f"blobs/{digest}.dcm", recursive=False)
        count += 1
        _progress(count)
    return count


def _read_blobs(tar: tarfile.TarFile, blobs: Blobs) -> Iterator[str]:
    for number, member in enumerate((one for one in tar if one.name.startswith("blobs/") and one.isfile()), start=1):
        digest = member.name.removeprefix("blobs/").removesuffix(".dcm")
        content = _open(tar, member.name)
        with blobs.keeping(_chunks(content)) as blob:
            if blob.digest != digest:
                raise Invalid(f"the object {digest} is not what its name says; this backup was altered or damaged")
        _progress(number)
        yield digest


def _chunks(content: IO[bytes]) -> Iterator[bytes]:
    while chunk := content.read(1 << 20):
        yield chunk


def _read_table(tar: tarfile.TarFile, db: Connection, table: Table) -> int:
    columns = list(table.columns)
    heard = [_hearing(column.type) for column in columns]
    count, rows = 0, []
    for line in _lines(_open(tar, f"tables/{table.name}.jsonl")):
        values = json.loads(line)
        rows.append({column.name: hear(value) for column, hear, value in zip(columns, heard, values, strict=True)})
        if len(rows) == ROWS_AT_ONCE:
            db.execute(insert(table), rows)
            count, rows = count + len(rows), []
    if rows:
        db.execute(insert(table), rows)
    if db.dialect.name == "postgresql":
        for column in columns:
            if column.autoincrement is True:
                sequence = func.pg_get_serial_sequence(table.name, column.name)
                db.execute(select(func.setval(sequence, func.max(column))))
    return count + len(rows)


def _lines(content: IO[bytes]) -> Iterator[bytes]:
    while line := content.readline(LONGEST_LINE):
        yield line


def _contents(tar: tarfile.TarFile) -> dict[str, Any]:
    contents = json.loads(_open(tar, "telemed.json").read(LARGEST_CONTENTS))
    if not isinstance(contents, dict) or contents.get("format") != FORMAT:
        raise ValueError("it was not written by `telemed backup`")
    return contents


def _open(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    content = tar.extractfile(name)
    if content is None:
        raise ValueError(f"{name} is no file")
    return content


def _add(tar: tarfile.TarFile, name: str, content: IO[bytes]) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = content.seek(0, io.SEEK_END), 0o600
    content.seek(0)
    tar.addfile(member, content)


def _said(value: object) -> object:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        return value.isoformat()
    return value.isoformat() if isinstance(value, date) else value


def _hearing(type_: object) -> Callable[[Any], Any]:
    """Return what makes a column's value of what JSON holds."""
    if isinstance(type_, UtcDateTime):
        return lambda said: None if said is None else datetime.fromisoformat(said)
    if isinstance(type_, Date):
        return lambda said: None if said is None else date.fromisoformat(said)
    if isinstance(type_, LargeBinary):
        return lambda said: None if said is None else base64.b64decode(said)
    return lambda said: said


def _progress(count: int) -> None:
    if sys.stderr.isatty() and count % 100 == 0:
        print(f"\r{count} objects", end="", file=sys.stderr, flush=True)  # noqa: T201 - a long copy shows that it moves
