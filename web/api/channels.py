"""On which channels an institution is told of its reports: for the administrator; and who was told of one."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field

from consult.delivery import views
from consult.delivery.actions import add_channel, remove_channel
from consult.delivery.channels import send
from consult.delivery.model import Attempt, Channel, ChannelKind, Message, NotSentError, Return, UnsureError
from consult.practitioners.views import institution
from consult.reports.model import ReportStatus
from telemed.kernel.errors import Unavailable
from web import keys
from web.accounts.permissions import Permission
from web.api.operations import Call, Given, Operation
from web.api.pages import Page


class NewChannel(Given):
    """A channel to be used; *secret* signs what is sent to a DingTalk or Feishu robot, or to a webhook of one's own."""

    institution: str = Field(max_length=64)
    kind: ChannelKind
    address: str = Field(max_length=500)
    secret: str = Field(default="", max_length=200)
    label: str = Field(default="", max_length=100)
    critical_only: bool = False


@dataclass(frozen=True)
class ShownChannel:
    """A channel as it is shown: its secret never leaves the server."""

    id: str
    institution_id: str
    kind: ChannelKind
    address: str
    label: str
    critical_only: bool
    signed: bool


async def list_channels(call: Call[None, None]) -> Page[ShownChannel]:
    """List the channels of every institution."""
    return Page([_shown(one) for one in await call.view(views.channels)])


async def add_delivery_channel(call: Call[None, NewChannel]) -> ShownChannel:
    """Let an institution be told on one more channel, from the next report on."""
    asked = call.body
    id_ = await call.act(
        add_channel, asked.institution, asked.kind, asked.address, secret=asked.secret, label=asked.label,
        critical_only=asked.critical_only, by=call.viewer,
    )  # fmt: skip
    return _shown(await call.view(views.channel, id_))


async def remove_delivery_channel(call: Call[None, None]) -> None:
    """Tell nobody on that channel any more."""
    await call.act(remove_channel, call.part("channel_id"), by=call.viewer)


async def try_delivery_channel(call: Call[None, None]) -> None:
    """Send a test message; 503 with the channel's own words when it does not take it."""
    channel = await call.view(views.channel, call.part("channel_id"))
    place = await call.view(institution, channel.institution_id)
    now = call.request.app[keys.CLOCK].now()
    message = Message(place.name, critical=False, status=ReportStatus.FINAL, report_id="", signed_at=now, is_trial=True)
    try:
        await call.off_loop(send, channel, message, call.request.app[keys.GATEWAYS], now)
    except (NotSentError, UnsureError) as error:
        raise Unavailable(f"the test message was not taken: {error}", code="channel") from error


async def report_notices(call: Call[None, None]) -> Page[Attempt]:
    """List on which channels the clinic was told of a report, and what became of each."""
    return Page(list(await call.view(views.attempts, call.viewer, call.part("report_id"))))


async def report_returns(call: Call[None, None]) -> Page[Return]:
    """List the DICOM nodes that a report goes back to as Structured Report and Encapsulated PDF, and what became of each."""
    return Page(list(await call.view(views.returns, call.viewer, call.part("report_id"))))


def _shown(channel: Channel) -> ShownChannel:
    return ShownChannel(
        channel.id,
        channel.institution_id,
        channel.kind,
        channel.address,
        channel.label,
        channel.critical_only,
        signed=bool(channel.secret),
    )


OPERATIONS = (
    Operation("GET", "/delivery/channels", list_channels, Permission.MANAGE_NODE),
    Operation("POST", "/delivery/channels", add_delivery_channel, Permission.MANAGE_NODE, status=201),
    Operation("DELETE", "/delivery/channels/{channel_id}", remove_delivery_channel, Permission.MANAGE_NODE, status=204),
    Operation("POST", "/delivery/channels/{channel_id}/try", try_delivery_channel, Permission.MANAGE_NODE, status=204),
    Operation("GET", "/reports/{report_id}/notices", report_notices, Permission.READ_REPORTS),
    Operation("GET", "/reports/{report_id}/returns", report_returns, Permission.READ_REPORTS),
)
