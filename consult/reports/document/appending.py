"""Pages added behind a PDF without touching one of its bytes: an incremental update (ISO 32000-1, 7.5.6).

Both files must be reportlab's own, so their shape is known: a classic cross-reference table, objects of generation 0, one
flat page tree. It is no reader for strangers' files and is never given one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_REFERENCE = re.compile(rb"\b(\d+) 0 R\b")


def append_pages(signed: bytes, extra: bytes) -> bytes:
    """Return *signed* followed by an update that adds the pages of *extra* behind its own."""
    old, new = _File(signed), _File(extra)
    shift = old.size
    added = [number + shift for number in new.kids]
    objects = {number + shift: _shifted(body, shift) for number, body in new.objects.items() if number not in new.structure}
    for number in added:
        objects[number] = re.sub(rb"/Parent \d+ 0 R", b"/Parent %d 0 R" % old.pages, objects[number], count=1)
    kids = b" ".join(b"%d 0 R" % number for number in [*old.kids, *added])
    tree = re.sub(rb"/Kids \[[^]]*\]", b"/Kids [ " + kids + b" ]", old.objects[old.pages], count=1)
    objects[old.pages] = re.sub(rb"/Count \d+", b"/Count %d" % (len(old.kids) + len(added)), tree, count=1)
    return _updated(signed, objects, old, size=shift + new.size)


class _File:
    """A reportlab file taken apart as far as an update needs it; *objects* maps numbers to what stands in obj ... endobj."""

    def __init__(self, content: bytes) -> None:
        self.startxref = int(content[content.rindex(b"startxref") + 9 :].split()[0])
        table, trailer = content[self.startxref :].split(b"trailer", 1)
        self.size = _number(rb"/Size (\d+)", trailer)
        self.root = _number(rb"/Root (\d+)", trailer)
        self.info = _number(rb"/Info (\d+)", trailer)
        self.identity = re.search(rb"/ID\s*(\[[^]]*\])", trailer)
        offsets = sorted(int(offset) for offset in re.findall(rb"(\d{10}) \d{5} n", table))
        self.objects: dict[int, bytes] = {}
        for begin, end in zip(offsets, [*offsets[1:], self.startxref], strict=True):
            number, body = content[begin:end].split(b" 0 obj", 1)
            self.objects[int(number)] = body[: body.rindex(b"endobj")]
        self.pages = _number(rb"/Pages (\d+)", self.objects[self.root])
        kids = re.search(rb"/Kids \[([^]]*)\]", self.objects[self.pages])
        self.kids = [int(number) for number in _REFERENCE.findall(kids[1])] if kids else []
        #: What an added page leaves behind: the catalogue, the page tree and the file's own description.
        self.structure = {self.root, self.pages, self.info}


def _number(pattern: bytes, within: bytes) -> int:
    found = re.search(pattern, within)
    if found is None:
        raise ValueError(f"not a document of ours: {pattern!r} is missing")
    return int(found[1])


def _shifted(body: bytes, shift: int) -> bytes:
    """Return *body* with every reference moved by *shift*; what stands in a stream is data and stays."""
    head, mark, stream = body.partition(b"stream\n")
    return _REFERENCE.sub(lambda found: b"%d 0 R" % (int(found[1]) + shift), head) + mark + stream


def _updated(signed: bytes, objects: Mapping[int, bytes], old: _File, *, size: int) -> bytes:
    parts, position, entries = [signed], len(signed), []
    if not signed.endswith(b"\n"):
        parts.append(b"\n")
        position += 1
    for number, body in sorted(objects.items()):
        entries.append(b"%d 1\n%010d 00000 n \n" % (number, position))
        written = b"%d 0 obj%sendobj\n" % (number, body)
        parts.append(written)
        position += len(written)
    identity = b"\n/ID " + old.identity[1] if old.identity else b""
    trailer = b"<<\n/Size %d\n/Root %d 0 R\n/Info %d 0 R\n/Prev %d%s\n>>" % (size, old.root, old.info, old.startxref, identity)
    parts += [b"xref\n", *entries, b"trailer\n", trailer, b"\nstartxref\n%d\n%%%%EOF\n" % position]
    return b"".join(parts)
