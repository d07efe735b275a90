"""The ladder by which a clinic is told of a report: its channels, in the order in which they are tried."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from consult.reports.model import REPLACING, ReportStatus


class ChannelKind(StrEnum):
    """How somebody who is not at the screen is reached: 企业微信, 钉钉, 飞书, any other webhook, e-mail, 短信, 电话."""

    WECOM = "wecom"
    DINGTALK = "dingtalk"
    FEISHU = "feishu"
    WEBHOOK = "webhook"
    EMAIL = "email"
    SMS = "sms"
    VOICE = "voice"


#: The rungs above the screen: what is on one rung is tried at once, the loudest last. Above them all stand people.
RUNGS: tuple[frozenset[ChannelKind], ...] = (
    frozenset({ChannelKind.WECOM, ChannelKind.DINGTALK, ChannelKind.FEISHU, ChannelKind.WEBHOOK}),
    frozenset({ChannelKind.EMAIL}),
    frozenset({ChannelKind.SMS}),
    frozenset({ChannelKind.VOICE}),
)

#: How long the screen has before the first rung, and each rung before the next.
SCREEN_HAS = {True: timedelta(seconds=20), False: timedelta(seconds=60)}
RUNG_HAS = timedelta(seconds=30)
#: A channel that failed is tried again after these; the ladder does not wait for it.
TRIED_AGAIN_AFTER = (timedelta(seconds=15), timedelta(seconds=60), timedelta(minutes=5))
#: What is still on its way after this was interrupted: nobody knows whether it arrived, and it is not sent twice.
LONGEST_SENDING = timedelta(seconds=45)


class NoticeStatus(StrEnum):
    """Open until the clinic has acknowledged the report, or people of both sides were called."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    ESCALATED = "escalated"


class AttemptStatus(StrEnum):
    """Of one notice on one channel; *unsure* was interrupted, *failed* is given up, *needless* was acknowledged before."""

    DUE = "due"
    SENDING = "sending"
    SENT = "sent"
    UNSURE = "unsure"
    FAILED = "failed"
    NEEDLESS = "needless"


@dataclass(frozen=True)
class Channel:
    """One way to one institution: *address* is a URL, an e-mail address or a number, *secret* signs what is sent."""

    id: str
    institution_id: str
    kind: ChannelKind
    address: str
    secret: str
    label: str
    critical_only: bool

    def carries(self, *, critical: bool) -> bool:
        """Tell whether it is used for such a report; one that `presses` counts as critical here."""
        return critical or not self.critical_only


@dataclass(frozen=True)
class Attempt:
    """One notice on one channel, as people are shown it; *problem* is why it failed."""

    kind: ChannelKind
    label: str
    status: AttemptStatus
    tries: int
    at: datetime
    problem: str


class ReturnStatus(StrEnum):
    """Of a report's DICOM objects at one destination; *failed*: refused so often that a person has to decide."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"


@dataclass(frozen=True)
class Return:
    """How a report went back to a DICOM node; *at* is when it got the last of the objects, or since when the first one waits."""

    ae_title: str
    status: ReturnStatus
    at: datetime
    problem: str = ""


def presses(status: str, *, critical: bool) -> bool:
    """Tell whether a clinic is told of a report in haste: it holds a critical value, or must not be used any more."""
    return critical or status == ReportStatus.CANCELLED


#: What was done to a report that is told of again.
_DONE: Mapping[ReportStatus, str] = {
    ReportStatus.AMENDED: "修订",
    ReportStatus.CORRECTED: "更正",
    ReportStatus.APPENDED: "补充",
}


@dataclass(frozen=True)
class Message:
    """What is said on a channel: never a patient's name, whoever may look over a shoulder."""

    institution: str
    critical: bool
    status: ReportStatus
    report_id: str
    signed_at: datetime
    is_trial: bool = False

    @property
    def amended(self) -> bool:
        """Whether it is of a version that replaces a signed one."""
        return self.status in REPLACING

    @property
    def presses(self) -> bool:
        """Whether everybody is called."""
        return presses(self.status, critical=self.critical)

    @property
    def text(self) -> str:
        """The sentence, Chinese first."""
        if self.is_trial:
            return f"【远程会诊】{self.institution}：这是一条测试消息，收到即表示通道可用。 Test message: this channel works."
        if self.critical:
            what = _DONE.get(self.status, "签发")
            zh = f"【远程会诊·危急值】{self.institution}：危急值报告已{what}，请立即登录并复述。"
            return f"{zh} Critical value: sign in and read it back."
        if self.status is ReportStatus.CANCELLED:
            zh = f"【远程会诊】{self.institution}：一份报告已作废，请勿再使用，请立即登录确认。"
            return f"{zh} A report is cancelled, do not use it: sign in and acknowledge."
        news = f"报告已{_DONE[self.status]}，请重新查看" if self.amended else "新的检查报告已签发，请登录查看"
        return f"【远程会诊】{self.institution}：{news}。 A report is waiting: sign in to read it."


class NotSentError(Exception):
    """The channel has surely not taken the message; its words say why."""


class UnsureError(Exception):
    """The channel may or may not have taken the message."""


def rung_of(channels: Iterable[Channel], rung: int, *, critical: bool) -> tuple[int, tuple[Channel, ...]]:
    """Return the first rung from *rung* on with a channel for such a report, and its channels; past the last one none."""
    usable = [channel for channel in channels if channel.carries(critical=critical)]
    for number in range(rung, len(RUNGS)):
        mine = tuple(channel for channel in usable if channel.kind in RUNGS[number])
        if mine:
            return number, mine
    return len(RUNGS), ()
