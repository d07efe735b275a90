"""The DICOM Conformance Statement (outline of PS3.2), printed from what is registered."""

from __future__ import annotations

from pydicom.uid import UID
from pynetdicom.sop_class import _STORAGE_CLASSES

from dicom_node.archive.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicom_node.node import ACSE_TIMEOUT_S, DIMSE_TIMEOUT_S, MAXIMUM_PDU, NETWORK_TIMEOUT_S
from dicom_node.services.status import STATUSES
from dicom_node.services.verification import VERIFICATION

_STATEMENT = """\
DICOM Conformance Statement

1 Networking
  Implementation Class UID      {class_uid}
  Implementation Version Name   {version_name}
  Application Entity            {aet}, roles: Verification SCP and SCU, Storage SCP and SCU
  Maximum PDU received          {pdu} bytes
  Maximum associations          {associations}
  Timeouts                      ACSE {acse} s, DIMSE {dimse} s, network {network} s
  Asynchronous operations       one outstanding operation
  Called AE title               {aet}, unless configured to answer to any
  Calling AE title              must be known together with its address; otherwise rejected (1, 1, 3)

2 Transfer syntaxes
  The first one proposed for a presentation context is accepted, whatever it is, private ones included.
  Objects are kept and sent as they were received; nothing is transcoded, no attribute is coerced.

3 Storage
  Level 2 (full): all attributes are kept, private ones included.
  Success is answered when the object and its index record are on stable storage (the ingest journal).
  The same object again is answered with success and changes nothing. Other content under a SOP Instance UID already
  kept is answered with success, kept beside the first, and reported to the institution.
  Statuses: {statuses}

4 Character sets
  All of PS3.3 C.12.1.1.2, with and without code extensions. Bytes that contradict their label are repaired for display;
  the stored object is not touched.

5 SOP classes
  {verification}
{classes}
  Any other storage SOP class, unknown or private, is accepted as well.
"""


def statement(aet: str, *, maximum_associations: int = 128) -> str:
    """Return the statement of a node named *aet*."""
    return _STATEMENT.format(
        class_uid=IMPLEMENTATION_CLASS_UID,
        version_name=IMPLEMENTATION_VERSION_NAME,
        aet=aet,
        pdu=MAXIMUM_PDU,
        associations=maximum_associations,
        acse=ACSE_TIMEOUT_S,
        dimse=DIMSE_TIMEOUT_S,
        network=NETWORK_TIMEOUT_S,
        statuses=", ".join(sorted({f"{status:04X}" for _, status in STATUSES} | {"0000"})),
        verification=f"{UID(VERIFICATION).name} ({VERIFICATION})",
        classes="\n".join(
            f"  {uid.name} ({uid})" for uid in sorted(map(UID, _STORAGE_CLASSES.values()), key=lambda uid: uid.name)
        ),
    )
