"""The type the document is set in: Noto Sans SC, embedded, so that a name in a rare character prints on any machine."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reportlab.lib.fonts import addMapping
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.pdfdoc import PDFDocument
from reportlab.pdfbase.ttfonts import TTFError, TTFont

from telemed.kernel.errors import Unavailable

REGULAR = "NotoSansSC"
BOLD = "NotoSansSC-Bold"

#: Name within the document -> file of the npm package @expo-google-fonts/noto-sans-sc (SIL OFL 1.1).
FILES = {REGULAR: "NotoSansSC_400Regular.ttf", BOLD: "NotoSansSC_700Bold.ttf"}

#: One glyph's character in a ToUnicode map, past the basic plane.
_FAR = re.compile(r"<([0-9A-F]{5,6})>$", re.MULTILINE)

_setting = threading.Lock()


@contextmanager
def typesetting(folder: Path) -> Iterator[None]:
    """Hold the type while one document is set; both weights are registered once for the process.

    One at a time: reportlab's fonts keep a reading position of their own. Raises Unavailable when a file of *folder* is missing.
    """
    with _setting:
        if not set(FILES) <= set(pdfmetrics.getRegisteredFontNames()):
            _register(folder)
        yield


def _register(folder: Path) -> None:
    for name, file in FILES.items():
        try:
            pdfmetrics.registerFont(_Font(name, str(folder / file)))
        except (TTFError, OSError) as error:
            raise Unavailable(f"the report's font {file} is not in {folder}: build the front end again") from error
    for bold, italic in ((0, 0), (0, 1), (1, 0), (1, 1)):
        addMapping(REGULAR, bold, italic, BOLD if bold else REGULAR)


class _Font(TTFont):  # type: ignore[misc] # reportlab ships no types
    """Says characters past U+FFFF as UTF-16 in the ToUnicode map, so that a copied or searched name is the one printed."""

    def addObjects(self, doc: PDFDocument) -> None:  # noqa: N802 - reportlab's name
        """Add the font, then mend its maps: reportlab writes five digits where ISO 32000-1, 9.10.3 wants surrogates."""
        super().addObjects(doc)
        for name, item in doc.idToObject.items():
            if name.startswith("toUnicodeCMap:"):
                item.content = _FAR.sub(_surrogates, item.content)


def _surrogates(found: re.Match[str]) -> str:
    return f"<{chr(int(found[1], 16)).encode('utf-16-be').hex().upper()}>"
