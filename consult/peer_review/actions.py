"""What may be done with a review: draw a report, claim, score, raise a miss that matters, answer it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from consult.peer_review.model import Review, ReviewEvent, ReviewStatus, Sampling, drawn, month_of, status_after
from consult.peer_review.tables import review_table, sampling_table
from consult.peer_review.views import review, sampling
from consult.practitioners.model import SYSTEM, Role, Viewer
from consult.queue import actions as queue
from consult.queue.tables import task_table
from consult.queue.views import READERS
from consult.readings.model import Radpeer
from consult.reports.views import of_record
from telemed.kernel.audit import Chronicle
from telemed.kernel.database import new_id
from telemed.kernel.errors import Conflict, Invalid, NotFound

LONGEST_WORDS = 2000


def draw(db: Connection, chronicle: Chronicle, report_id: str) -> None:
    """Put a signed report up for review if it is among those drawn; once, however often it is asked."""
    report = of_record(db, report_id)
    specialty = Role(db.execute(select(task_table.c.specialty).where(task_table.c.id == report.task_id)).scalar_one())
    rate = next(one for one in sampling(db) if one.specialty is specialty)
    month = month_of(report.signed_at)
    if not drawn(report_id, month, seed=rate.seed, percent=rate.percent):
        return
    if db.execute(select(review_table.c.id).where(review_table.c.report_id == report_id)).first() is not None:
        return
    review_id = new_id()
    row = {
        "id": review_id,
        "report_id": report_id,
        "task_id": report.task_id,
        "hospital_id": report.performer.id,
        "clinic_id": report.institution.id,
        "specialty": specialty,
        "lane": report.lane,
        "author_id": report.signed_by.id,
        "month": month,
        "status": ReviewStatus.OPEN,
        "comment": "",
        "answer": "",
        "drawn_at": chronicle.clock.now(),
    }
    db.execute(insert(review_table).values(row))
    _enter(db, chronicle, "PeerReviewDrawn", review_id, SYSTEM, seed=rate.seed, percent=rate.percent)


def claim(db: Connection, chronicle: Chronicle, review_id: str, *, by: Viewer) -> Review:
    """Take a review; of two who do so at one instant one wins. Until it is scored or given back no door names them the author."""
    task_id = review(db, by, review_id).task_id
    _change(db, chronicle, review_id, ReviewEvent.CLAIM, by, reviewer_id=by.practitioner_id)
    queue.blind(db, task_id, practitioner_id=by.practitioner_id)
    return review(db, by, review_id)


def release(db: Connection, chronicle: Chronicle, review_id: str, *, by: Viewer) -> Review:
    """Give a claimed review back."""
    task_id = _own(db, review_id, by)
    _change(db, chronicle, review_id, ReviewEvent.RELEASE, by, reviewer_id=None)
    queue.tell(db, task_id, practitioner_id=by.practitioner_id)
    return review(db, by, review_id)


def score(
    db: Connection, chronicle: Chronicle, review_id: str, *, given: Radpeer, comment: str, raised: bool, by: Viewer
) -> Review:
    """Score a report by RADPEER; the clinic hears nothing. *raised* asks its author to amend it.

    Raises Invalid without a word on where a discrepancy lies, or when one is raised that is not likely to matter.
    """
    task_id = _own(db, review_id, by)
    words = _words(comment, needed=given.is_discrepant)
    if raised and not given.is_significant:
        raise Invalid("only a discrepancy that is likely to matter (2b, 3b) is taken back to the author", code="not-significant")
    event = ReviewEvent.RAISE if raised else ReviewEvent.SCORE
    scored = {"score": given, "comment": words, "scored_at": chronicle.clock.now()}
    _change(db, chronicle, review_id, event, by, **scored)
    queue.tell(db, task_id, practitioner_id=by.practitioner_id)
    return review(db, by, review_id)


def uphold(db: Connection, chronicle: Chronicle, review_id: str, *, reason: str, by: Viewer) -> Review:
    """Leave a report as it is although a miss was raised, saying why; its author may."""
    if _row(db, review_id).author_id != by.practitioner_id:
        raise NotFound("there is no such review for you", code="review")
    _change(db, chronicle, review_id, ReviewEvent.UPHOLD, by, answer=_words(reason, needed=True))
    return review(db, by, review_id)


def amended(db: Connection, chronicle: Chronicle, task_id: str) -> None:
    """Take note that a task's report was amended, corrected, added to or cancelled: that answers what was raised about it."""
    raised = (review_table.c.task_id == task_id) & (review_table.c.status == ReviewStatus.RAISED)
    for id_ in db.scalars(select(review_table.c.id).where(raised)).all():
        _change(db, chronicle, id_, ReviewEvent.AMEND, SYSTEM)


def set_sampling(db: Connection, chronicle: Chronicle, wanted: Sampling, *, by: Viewer) -> None:
    """Draw so many of a hundred reports of a specialty from now on."""
    if wanted.specialty not in READERS:
        raise Invalid(f"the specialties that read are {', '.join(sorted(READERS))}", code="specialty")
    db.execute(delete(sampling_table).where(sampling_table.c.specialty == wanted.specialty))
    db.execute(insert(sampling_table).values(asdict(wanted)))
    chronicle.enter(
        db,
        "PeerReviewSampled",
        wanted.specialty,
        asdict(wanted),
        actor=by.practitioner_id,
        institution=by.institution_id,
        entity="PeerReviewSampling",
    )


def _row(db: Connection, review_id: str) -> Row[Any]:
    found = db.execute(select(review_table).where(review_table.c.id == review_id).with_for_update()).first()
    if found is None:
        raise NotFound("there is no such review for you", code="review")
    return found


def _own(db: Connection, review_id: str, by: Viewer) -> str:
    """Return the id of the task whose report *by* reviews."""
    row = _row(db, review_id)
    if row.reviewer_id != by.practitioner_id:
        raise Conflict("claim this review first: whoever holds it scores it", code="review-state")
    return str(row.task_id)


def _words(given: str, *, needed: bool) -> str:
    words = given.strip()
    if needed and not words:
        raise Invalid("say where and why in a few words: the other side reads it", code="comment-missing")
    if len(words) > LONGEST_WORDS:
        raise Invalid(f"the comment is too long: at most {LONGEST_WORDS} characters", code="comment-too-long")
    return words


#: How each step is told.
_NEWS = {
    ReviewEvent.CLAIM: "PeerReviewClaimed",
    ReviewEvent.RELEASE: "PeerReviewReleased",
    ReviewEvent.SCORE: "PeerReviewScored",
    ReviewEvent.RAISE: "AmendmentAsked",
    ReviewEvent.AMEND: "PeerReviewAmended",
    ReviewEvent.UPHOLD: "PeerReviewUpheld",
}


def _change(db: Connection, chronicle: Chronicle, review_id: str, event: ReviewEvent, by: Viewer, **values: Any) -> None:  # noqa: ANN401 - columns of the row
    status = status_after(ReviewStatus(_row(db, review_id).status), event)
    db.execute(update(review_table).where(review_table.c.id == review_id).values(status=status, **values))
    _enter(db, chronicle, _NEWS[event], review_id, by)


def _enter(db: Connection, chronicle: Chronicle, type_: str, review_id: str, by: Viewer, **news: Any) -> None:  # noqa: ANN401 - plain JSON
    """Tell of a review to the log alone: neither side's browsers hear who wrote what, or was scored how."""
    row = _row(db, review_id)
    data = {
        "review_id": row.id,
        "report_id": row.report_id,
        "task_id": row.task_id,
        "hospital": row.hospital_id,
        "clinic": row.clinic_id,
        "specialty": row.specialty,
        "lane": row.lane,
        "month": row.month,
        "author": row.author_id,
        "reviewer": row.reviewer_id,
        "score": row.score,
        "comment": row.comment,
        "status": row.status,
        **news,
    }
    chronicle.enter(db, type_, row.id, data, actor=by.practitioner_id, institution=by.institution_id, entity="PeerReview")
