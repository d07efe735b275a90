"""The DICOM Conformance Statement (outline of PS3.2), printed from what is registered."""

from __future__ import annotations

from collections.abc import Sequence

from pydicom.uid import UID
from pynetdicom.sop_class import _STORAGE_CLASSES

from dicom_node.archive.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicom_node.node import ACSE_TIMEOUT_S, DIMSE_TIMEOUT_S, MAXIMUM_PDU, NETWORK_TIMEOUT_S
from dicom_node.services.exchange import SYNTAXES, Service
from dicom_node.services.status import STATUSES
from dicom_node.services.storage_commitment import MOST_TRIES
from dicom_node.services.verification import VERIFICATION

_STATEMENT = """\
DICOM Conformance Statement

1 Networking
  Implementation Class UID      {class_uid}
  Implementation Version Name   {version_name}
  Application Entity            {aet}, roles: Verification SCP and SCU, Storage SCP and SCU,
                                {roles}
  Maximum PDU received          {pdu} bytes
  Maximum associations          {associations}
  Timeouts                      ACSE {acse} s, DIMSE {dimse} s, network {network} s
  Asynchronous operations       one outstanding operation
  Called AE title               {aet}, unless configured to answer to any
  Calling AE title              must be known together with its address; otherwise rejected (1, 1, 3)

2 Transfer syntaxes
  The first one proposed for a presentation context is accepted, whatever it is, private ones included.
  The other services speak {syntaxes}.
  Objects are kept as they were received; no attribute is coerced. They are sent so, or uncompressed (see 4).
  Signed reports are created as Enhanced SR (TID 2000) and Encapsulated PDF, in Explicit VR Little Endian and ISO_IR 192.

3 Storage
  Level 2 (full): all attributes are kept, private ones included.
  Success is answered when the object and its index record are on stable storage (the ingest journal).
  The same object again is answered with success and changes nothing. Other content under a SOP Instance UID already
  kept is answered with success, kept beside the first, and reported to the institution.
  What names no SOP Class, SOP Instance, Study or Series Instance UID is refused with C000: objects that belong to no patient,
  DICOMDIR among them, are not kept. So is an ECG none of whose channels has a Channel Sensitivity (003A,0210).
  Statuses: {statuses}

4 Query and retrieval
  Patient Root and Study Root, every level; matching by single value, list of UIDs, wildcard and range, of person names in
  any component group, without regard to case; a name in characters also by its pinyin where the key is in letters, with
  an asterisk at its end or none. Queries are relational, and dates and times are matched apart; neither is negotiated.
  Keys that are not known are not returned (status FF01). Answers are in ISO_IR 192, or in GB18030 or GBK to requests
  that state it.
  An institution's equipment finds and fetches its own studies and those its institution was asked about.
  C-MOVE goes to destinations that were entered by the administrator; C-GET needs the SCP role for the storage classes.
  Instances are sent as they are kept, or in Explicit or Implicit VR Little Endian where the peer did not take their
  transfer syntax. Warnings of the receiver count as completed. Objects are forwarded in the same way to peers for which
  the administrator made a rule, until each has acknowledged them, or committed to them where it is so entered.

5 Storage commitment
  Push model. Every instance is read again and compared with its digest before it is committed to. The report comes on the
  same association while it stays open, else on a new one to the peer of that AE title, up to {tries} times.
  As SCU it is requested of peers that are so entered, for what was forwarded to them; their report is taken on the same
  association or on a new one, for which they take the SCP role.
  Failure reasons: 0110 damaged, 0112 not here, 0119 of another SOP class.

6 Modality worklist and performed procedure steps
  The worklist is matched by patient's name and ID, accession number, requested procedure ID, study UID, station, date,
  time, modality and step ID; a range of dates with one of times is one period. An entry for any station is returned with
  the title of the one that asks, return keys of type 2 without a value are returned empty. Performed procedure steps are
  kept; a study is complete as soon as the instances they name are here.

7 Security
  DICOM over TLS 1.2 and newer on a port of its own, when configured: both sides authenticate by certificate, and the
  caller's certificate names its AE title as common name or DNS name. A title may be bound to one certificate, and is
  then refused without it. Peers are called over TLS where they are so entered.

8 Character sets
  All of PS3.3 C.12.1.1.2, with and without code extensions; GB18030 as of 2022. Bytes that contradict their label are
  repaired for display, by what is set for the device or by what they can only be; the stored object is not touched.

9 SOP classes
  {verification}
{services}
{classes}
  Any other storage SOP class, unknown or private, is accepted as well.
"""


def statement(aet: str, services: Sequence[type[Service]], *, maximum_associations: int = 128) -> str:
    """Return the statement of a node named *aet* that offers *services* beside storage and verification."""
    offered = [UID(uid) for service in services for uid in service.sop_classes]
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
        roles=",\n                                ".join(f"{uid.name} SCP" for uid in offered),
        services="\n".join(f"  {uid.name} ({uid})" for uid in offered),
        tries=MOST_TRIES,
        syntaxes=", ".join(UID(uid).name for uid in SYNTAXES),
        classes="\n".join(
            f"  {uid.name} ({uid})" for uid in sorted(map(UID, _STORAGE_CLASSES.values()), key=lambda uid: uid.name)
        ),
    )
