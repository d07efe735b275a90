"""The leads: one name for each, however a file spells it, and their codes in DICOM, MDC and SCP-ECG.

The numbers of MDC (IEEE 11073-10102) and SCP-ECG (EN 1064, 5.6.3-9) agree for every lead listed here.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Lead:
    """One lead; two leads of one name are equal. *number* is 0 for a channel whose place on the body is not known."""

    name: str
    number: int = 0

    @property
    def mdc_code(self) -> str:
        """Code value of PS3.16 CID 3001 under the scheme MDC; empty when unknown."""
        return f"2:{self.number}" if self.number else ""

    @property
    def scp_code(self) -> str:
        """Code value under the scheme SCPECG; empty when unknown."""
        return f"5.6.3-9-{self.number}" if self.number else ""


_NUMBERS = {
    "I": 1,
    "II": 2,
    "V1": 3,
    "V2": 4,
    "V3": 5,
    "V4": 6,
    "V5": 7,
    "V6": 8,
    "V7": 9,
    "V2R": 10,
    "V3R": 11,
    "V4R": 12,
    "V5R": 13,
    "V6R": 14,
    "V7R": 15,
    "X": 16,
    "Y": 17,
    "Z": 18,
    "III": 61,
    "aVR": 62,
    "aVL": 63,
    "aVF": 64,
    "V8": 66,
    "V9": 67,
}

#: Every lead this package knows, by its name.
LEADS = {name: Lead(name, number) for name, number in _NUMBERS.items()}

#: The order in which a twelve-lead recording is shown and stored.
TWELVE = tuple(LEADS[name] for name in ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"))

LIMB = ("I", "II", "III", "aVR", "aVL", "aVF")

#: Neighbours on the body: statements about "two contiguous leads" need both of a pair (-aVR closes the limb row).
CONTIGUOUS = (
    ("aVL", "I"),
    ("II", "aVF"),
    ("aVF", "III"),
    ("II", "III"),
    ("V1", "V2"),
    ("V2", "V3"),
    ("V3", "V4"),
    ("V4", "V5"),
    ("V5", "V6"),
)

#: Limb leads as sums of I and II (Einthoven, Goldberger).
DERIVED = {"III": (-1.0, 1.0), "aVR": (-0.5, -0.5), "aVL": (1.0, -0.5), "aVF": (-0.5, 1.0)}

_BY_UPPER = {name.upper(): lead for name, lead in LEADS.items()}
_BY_NUMBER = {lead.number: lead for lead in LEADS.values()}
_NOISE = re.compile(r"^(MDC_ECG_LEAD_|LEAD[\s_:.]*|ECG[\s_:.]*)|\s*\(.*\)$")
_SCP = re.compile(r"^5\.6\.3-9-(\d{1,3})$")
_MDC = re.compile(r"^2:(\d{1,3})$")


def lead_named(text: str) -> Lead:
    """Return the lead a file calls *text* ("Lead I (Einthoven)", "avf", "MDC_ECG_LEAD_V1", "5.6.3-9-1", "2:1").

    A name nobody knows is kept as it is, cut to 16 characters, under the number 0.
    """
    plain = " ".join(text.split())
    for pattern in (_SCP, _MDC):
        if found := pattern.match(plain):
            return _BY_NUMBER.get(int(found[1]), Lead(plain[:16]))
    upper = plain.upper()
    previous = ""
    while upper != previous:
        previous, upper = upper, _NOISE.sub("", upper).strip()
    return _BY_UPPER.get(upper.replace(" ", ""), Lead(plain[:16] or "?"))
