"""Peer reviews: what is due, what was scored, and what a colleague raised about one's own reports."""

from __future__ import annotations

from pydantic import Field

from consult.peer_review import actions, views
from consult.peer_review.model import LONGEST_SEED, USUAL_PERCENT, USUAL_SEED, Review, Sampling
from consult.practitioners.model import Role
from consult.readings.model import Radpeer
from web.accounts.permissions import Permission
from web.api.operations import Call, Given, Operation
from web.api.pages import Page


class ReviewScore(Given):
    """A RADPEER score; *raised* asks the author to amend the report."""

    score: Radpeer
    comment: str = Field(default="", max_length=actions.LONGEST_WORDS)
    raised: bool = False


class Upholding(Given):
    """Why a report stands although a miss was raised."""

    reason: str = Field(max_length=actions.LONGEST_WORDS)


class NewSampling(Given):
    """How many of a hundred reports of a specialty are drawn, and by which seed."""

    specialty: Role
    percent: int = USUAL_PERCENT
    seed: str = Field(default=USUAL_SEED, max_length=LONGEST_SEED)


async def list_reviews(call: Call[None, None]) -> Page[Review]:
    """List the reviews one may do or has begun, and what was raised about one's own reports; no author is named."""
    return Page(await call.view(views.due, call.viewer))


async def claim_review(call: Call[None, None]) -> Review:
    """Take a review; of two who do so at one instant one wins, the other gets 409."""
    return await call.act(actions.claim, call.part("review_id"), by=call.viewer)


async def release_review(call: Call[None, None]) -> Review:
    """Give a claimed review back."""
    return await call.act(actions.release, call.part("review_id"), by=call.viewer)


async def score_review(call: Call[None, ReviewScore]) -> Review:
    """Score a report by RADPEER; the clinic is told nothing."""
    given = call.body
    review_id = call.part("review_id")
    return await call.act(actions.score, review_id, given=given.score, comment=given.comment, raised=given.raised, by=call.viewer)


async def uphold_review(call: Call[None, Upholding]) -> Review:
    """Leave one's report as it is although a miss was raised, and say why."""
    return await call.act(actions.uphold, call.part("review_id"), reason=call.body.reason, by=call.viewer)


async def list_sampling(call: Call[None, None]) -> Page[Sampling]:
    """List how many reports of each specialty are drawn."""
    return Page(await call.view(views.sampling))


async def set_sampling(call: Call[None, NewSampling]) -> Page[Sampling]:
    """Draw so many of a hundred reports of a specialty, 2 to 10, from now on; and return every specialty's share."""
    given = call.body
    await call.act(actions.set_sampling, Sampling(given.specialty, given.percent, given.seed), by=call.viewer)
    return Page(await call.view(views.sampling))


OPERATIONS = (
    Operation("GET", "/reviews", list_reviews, Permission.WRITE_REPORTS),
    Operation("POST", "/reviews/{review_id}/claim", claim_review, Permission.WRITE_REPORTS),
    Operation("POST", "/reviews/{review_id}/release", release_review, Permission.WRITE_REPORTS),
    Operation("POST", "/reviews/{review_id}/score", score_review, Permission.WRITE_REPORTS),
    Operation("POST", "/reviews/{review_id}/uphold", uphold_review, Permission.WRITE_REPORTS),
    Operation("GET", "/review-sampling", list_sampling, Permission.READ_ROTA),
    Operation("PUT", "/review-sampling", set_sampling, Permission.MANAGE_NODE),
)
