"""A Structured Report as a page of text (PS3.18 section 8.7.4, text/html): its content tree as nested lists, every word escaped.

It reads the DICOM JSON of the object, where names and texts are right already whatever their character set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

DicomJson = Mapping[str, Any]

_CONTENT, _VALUE_TYPE, _CONCEPT, _MEANING = "0040A730", "0040A040", "0040A043", "00080104"
#: Value Type (0040,A040) -> the element that holds the value (PS3.3 Table C.17.3-1).
_VALUES = {
    "TEXT": "0040A160",
    "DATE": "0040A121",
    "TIME": "0040A122",
    "DATETIME": "0040A120",
    "PNAME": "0040A123",
    "UIDREF": "0040A124",
}
_HEADINGS = (
    ("姓名 Patient", "00100010"),
    ("患者号 Patient ID", "00100020"),
    ("出生日期 Birth date", "00100030"),
    ("性别 Sex", "00100040"),
    ("检查日期 Study date", "00080020"),
    ("检查号 Accession number", "00080050"),
    ("机构 Institution", "00080080"),
    ("完成情况 Completion", "0040A491"),
    ("审核情况 Verification", "0040A493"),
)
_MAXIMUM_DEPTH = 32
_MAXIMUM_ITEMS = 20_000


def is_report(data_set: DicomJson) -> bool:
    """Whether there is a content tree to show."""
    return _text(data_set, _VALUE_TYPE) == "CONTAINER"


def page(data_set: DicomJson) -> str:
    """Return the report as HTML without a script, a style or an address in it."""
    title = escape(_meaning(data_set, _CONCEPT) or "Structured Report")
    facts = "".join(
        f"<tr><th>{name}</th><td>{escape(value)}</td></tr>" for name, tag in _HEADINGS if (value := _text(data_set, tag))
    )
    body = "".join(_items(data_set, [_MAXIMUM_ITEMS], 0))
    return (
        f'<!doctype html><html><head><meta charset="utf-8"><title>{title}</title></head>'
        f"<body><h1>{title}</h1><table>{facts}</table>{body}</body></html>"
    )


def _items(data_set: DicomJson, left: list[int], depth: int) -> Iterator[str]:
    """Yield the list below one item; *left* counts down over the whole report what may still be written."""
    items = _sequence(data_set, _CONTENT)
    if not items:
        return
    yield "<ul>"
    for item in items:
        left[0] -= 1
        if left[0] < 0 or depth > _MAXIMUM_DEPTH:
            yield "<li>…</li>"
            break
        name, value = escape(_meaning(item, _CONCEPT)), escape(_value(item))
        yield f"<li><b>{name}</b>{': ' if name and value else ''}{value}"
        yield from _items(item, left, depth + 1)
        yield "</li>"
    yield "</ul>"


def _value(item: DicomJson) -> str:
    kind = _text(item, _VALUE_TYPE)
    if kind == "CODE":
        return _meaning(item, "0040A168")
    if kind == "NUM":
        measured = next(iter(_sequence(item, "0040A300")), {})
        return f"{_text(measured, '0040A30A')} {_unit(measured)}".strip()
    if kind in _VALUES:
        return _text(item, _VALUES[kind])
    if kind in ("IMAGE", "COMPOSITE", "WAVEFORM"):
        return _text(next(iter(_sequence(item, "00081199")), {}), "00081155")
    if kind in ("SCOORD", "SCOORD3D", "TCOORD"):
        return f"{_text(item, '00700023')} {_text(item, '00700022')}".strip()
    return ""


def _unit(measured: DicomJson) -> str:
    code = _text(next(iter(_sequence(measured, "004008EA")), {}), "00080100")
    return "" if code == "1" else code  # UCUM's unity


def _meaning(item: DicomJson, tag: str) -> str:
    return _text(next(iter(_sequence(item, tag)), {}), _MEANING)


def _sequence(item: DicomJson, tag: str) -> list[DicomJson]:
    element = item.get(tag, {})
    return [one for one in element.get("Value", []) if isinstance(one, dict)] if element.get("vr") == "SQ" else []


def _text(item: DicomJson, tag: str) -> str:
    """Return an element's values as text, a person's name in the groups it has."""
    values = item.get(tag, {}).get("Value", [])
    return ", ".join(" ".join(one.values()) if isinstance(one, dict) else str(one) for one in values if one is not None)
