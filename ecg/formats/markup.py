"""Strangers' XML as a tree of local names: no entity is ever declared or fetched, and depth and size are bounded.

A DOCTYPE line is accepted, as MUSE writes one; what it names is not opened.
"""

import re
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from ecg.errors import EcgError

MAX_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 64
MAX_ELEMENTS = 100_000

#: Encodings that expat does not know and Chinese and Japanese machines write.
_EAST_ASIAN = re.compile(rb"""^[^>]{0,200}encoding=["'](gb2312|gbk|gb18030|big5|shift_jis|euc-jp)["']""", re.IGNORECASE)
#: What may stand before the root, and how it ends; a DOCTYPE is walked into, for its declarations are no elements.
_SKIPPED = {"<!--": "-->", "<?": "?>"}
_ROOT = re.compile(r"<(?:[\w.-]+:)?([A-Za-z_][\w.-]*)")


def root_name(data: bytes) -> str:
    """Return the local name of the document's root as far as the first bytes show it; empty when this is no XML."""
    head = data[: 64 * 1024].replace(b"\0", b"").decode("latin-1").lstrip("ï»¿ÿþ \t\r\n")  # UTF-16 too
    at = 0 if head.startswith("<") else -1
    while at >= 0:
        if root := _ROOT.match(head, at):
            return root[1]
        closing = next((end for begin, end in _SKIPPED.items() if head.startswith(begin, at)), "")
        past = head.find(closing, at + 2)
        at = head.find("<", past) if past >= 0 else -1
    return ""


def parse(name: str, data: bytes) -> Element:
    """Return the root; tags and attributes are without namespaces. `EcgError` when it is not well formed or hostile."""
    if len(data) > MAX_BYTES:
        raise EcgError(f"{name} is {len(data) // 2**20} MB of XML; at most {MAX_BYTES // 2**20} MB are read: send a part of it.")
    encoding = None
    if declared := _EAST_ASIAN.match(data):
        data, encoding = data.decode(declared[1].decode(), errors="replace").encode(), "utf-8"
    parser = expat.ParserCreate(encoding, namespace_separator=" ")
    builder = _Bounded(name)
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = builder.entity
    try:
        parser.Parse(data, True)  # noqa: FBT003 - expat takes it by position
        return builder.close()
    except (expat.ExpatError, UnicodeError, LookupError) as error:
        raise EcgError(f"{name} is no well-formed XML ({error}); export it again.") from error


class _Bounded:
    def __init__(self, name: str) -> None:
        self._name = name
        self._tree = TreeBuilder()
        self._depth = self._elements = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._elements += 1
        if self._depth > MAX_DEPTH or self._elements > MAX_ELEMENTS:
            raise EcgError(
                f"{self._name} is nested deeper than {MAX_DEPTH} or has more than {MAX_ELEMENTS} elements, as no ECG has."
            )
        self._tree.start(_local(tag), {_local(key): value for key, value in attributes.items()})

    def end(self, tag: str) -> None:
        self._depth -= 1
        self._tree.end(_local(tag))

    def data(self, text: str) -> None:
        self._tree.data(text)

    def entity(self, *_declaration: object) -> None:
        raise EcgError(f"{self._name} declares XML entities, which no ECG needs; export it again without them.")

    def close(self) -> Element:
        root: Element = self._tree.close()
        return root


def _local(name: str) -> str:
    return name.rpartition(" ")[2]


def text(element: Element, path: str) -> str:
    """Return the trimmed text at *path* below *element*, empty when there is none."""
    return (element.findtext(path) or "").strip()


def number(element: Element, path: str) -> float | None:
    """Return the number at *path* below *element*, None when there is none."""
    try:
        value = float(text(element, path))
    except ValueError:
        return None
    return value if abs(value) < 1e12 else None
