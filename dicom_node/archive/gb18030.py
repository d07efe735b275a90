"""GB 18030-2022, which Python's codec of that name does not know: it maps as the edition of 2000 did.

Twenty-five characters that the editions of 2000 and 2005 put into a private use area have a place of their own in Unicode
since; a device of any edition means the same character by the same two bytes.
"""

from __future__ import annotations

#: Private use code point of the first edition to the character that GB 18030-2022 means.
_MEANT = {
    **dict(
        zip(
            range(0xE78D, 0xE797), (0xFE10, 0xFE12, 0xFE11, 0xFE13, 0xFE14, 0xFE15, 0xFE16, 0xFE17, 0xFE18, 0xFE19), strict=True
        )
    ),  # A6D9 to A6DF, A6EC, A6ED and A6F3: vertical punctuation
    0xE7C7: 0x1E3F,  # A8BC
    0xE816: 0x20087, 0xE817: 0x20089, 0xE818: 0x200CC, 0xE831: 0x215D7, 0xE83B: 0x2298F, 0xE855: 0x241FE,  # FE51 to FE91
    0xE81E: 0x9FB4, 0xE826: 0x9FB5, 0xE82B: 0x9FB6, 0xE82C: 0x9FB7, 0xE832: 0x9FB8, 0xE843: 0x9FB9, 0xE854: 0x9FBA,
    0xE864: 0x9FBB,  # FE59 to FEA0
}  # fmt: skip
_WRITTEN = {meant: private for private, meant in _MEANT.items()}


def as_meant(text: str) -> str:
    """Return what Python's codec decoded with the characters of the 2022 edition."""
    return text.translate(_MEANT)


def encode(text: str) -> bytes:
    """Encode *text* so that readers of every edition find each character where theirs has it."""
    return text.translate(_WRITTEN).encode("gb18030")
