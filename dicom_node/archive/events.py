"""What the archive tells the house; the subject of an event about a study is the StudyInstanceUID.

Such a payload names "institution" and "study_instance_uid". A follower that needs more reads the index.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from telemed.kernel.clock import rfc3339

STUDY_ARRIVED = "StudyArrived"
INSTANCE_STORED = "InstanceStored"
INSTANCE_CONFLICT = "InstanceConflict"
STUDY_SETTLED = "StudySettled"
STUDY_REOPENED = "StudyReopened"

#: The subject of these is a patient's key; the payload names "institution".
PATIENTS_MERGED = "PatientsMerged"
PATIENTS_UNMERGED = "PatientsUnmerged"
PATIENTS_SPLIT = "PatientsSplit"
PATIENTS_UNSPLIT = "PatientsUnsplit"
PATIENTS_TOLD_APART = "PatientsToldApart"

#: The subject of these is a charset profile's id.
CHARSET_PROFILE_SET = "CharsetProfileSet"
CHARSET_PROFILE_REMOVED = "CharsetProfileRemoved"
TEXTS_REREAD = "TextsReread"


def study_arrived(institution: str, study_instance_uid: str, *, modality: str, source: str) -> dict[str, Any]:
    """Say that the first instance of a study is safe; *source* is the AE title or the door it came by."""
    return {"institution": institution, "study_instance_uid": study_instance_uid, "modality": modality, "source": source}


def study_reopened(institution: str, study_instance_uid: str, *, source: str, instance_count: int) -> dict[str, Any]:
    """Say that an instance came for a study that had settled; *instance_count* counts the study with it."""
    return {
        "institution": institution,
        "study_instance_uid": study_instance_uid,
        "source": source,
        "instance_count": instance_count,
    }


def instance_stored(
    institution: str,
    study_instance_uid: str,
    *,
    series_instance_uid: str,
    sop_instance_uid: str,
    sop_class_uid: str,
    modality: str,
    instance_count: int,
) -> dict[str, Any]:
    """Say that one more instance is safe; *instance_count* counts the study with it."""
    return {
        "institution": institution,
        "study_instance_uid": study_instance_uid,
        "series_instance_uid": series_instance_uid,
        "sop_instance_uid": sop_instance_uid,
        "sop_class_uid": sop_class_uid,
        "modality": modality,
        "instance_count": instance_count,
    }


def instance_conflict(institution: str, study_instance_uid: str, *, sop_instance_uid: str, source: str) -> dict[str, Any]:
    """Say that other content came under a SOP Instance UID already kept; *study_instance_uid* is the kept one's."""
    return {
        "institution": institution,
        "study_instance_uid": study_instance_uid,
        "sop_instance_uid": sop_instance_uid,
        "source": source,
    }


def study_settled(
    institution: str,
    study_instance_uid: str,
    *,
    modalities: list[str],
    series_count: int,
    instance_count: int,
    last_received_at: datetime,
    sop_class_uids: list[str],
    proof: str,
    missing: list[dict[str, Any]],
) -> dict[str, Any]:
    """Say that a study is complete or has stopped growing; said again when more came later and that too has settled.

    *proof* says how it is known (`completeness.Proof`), *missing* what seems not to have come (`completeness.Missing`).
    """
    return {
        "institution": institution,
        "study_instance_uid": study_instance_uid,
        "modalities": modalities,
        "series_count": series_count,
        "instance_count": instance_count,
        "last_received_at": rfc3339(last_received_at),
        "sop_class_uids": sop_class_uids,
        "proof": proof,
        "missing": missing,
    }
