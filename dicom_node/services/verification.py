"""The Verification service class, PS3.4 Annex A: somebody asks whether we are there."""

from __future__ import annotations

from dicom_node.services.status import SUCCESS

#: Verification SOP Class, PS3.4 Table A.4-1.
VERIFICATION = "1.2.840.10008.1.1"


def echoed() -> int:
    """Answer a C-ECHO."""
    return SUCCESS
