"""The document's words: Chinese first, a small English caption beneath or beside."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

from consult.queue.model import Stage
from consult.reports.model import REGION_NAMES, Addendum, EarlierReading, Report, ReportStatus, Withdrawal
from consult.requests.model import Kind

#: All of China keeps one time.
ZONE = ZoneInfo("Asia/Shanghai")

TITLES: Mapping[Kind, tuple[str, str]] = {
    Kind.CONSULTATION: ("远程会诊意见", "Teleconsultation opinion"),
    Kind.DIAGNOSIS: ("远程诊断报告", "Remote diagnostic report"),
}

#: Who answers for the diagnosis, said on the page because the law asks it.
RESPONSIBILITY: Mapping[Kind, str] = {
    Kind.CONSULTATION: "本件为会诊意见，供邀请方参考；诊断与治疗由邀请方医师决定。 Advice: the inviting clinic decides.",
    Kind.DIAGNOSIS: "本件为诊断报告，由受邀医院出具诊断并负责。 Diagnosis issued by the invited hospital.",
}

STATUSES: Mapping[ReportStatus, str] = {
    ReportStatus.PRELIMINARY: "初步 Preliminary",
    ReportStatus.FINAL: "正式 Final",
    ReportStatus.AMENDED: "修订 Amended",
    ReportStatus.CORRECTED: "更正 Corrected",
    ReportStatus.APPENDED: "补充 Appended",
    ReportStatus.CANCELLED: "作废 Cancelled",
}

#: How a version that replaces another begins to say so.
REPLACES: Mapping[ReportStatus, str] = {
    ReportStatus.FINAL: "替代初步报告 Replaces preliminary",
    ReportStatus.AMENDED: "修订版 Amended version",
    ReportStatus.CORRECTED: "更正版 Corrected version",
    ReportStatus.APPENDED: "补充版（原文未改） With an addendum, the text unchanged, version",
    ReportStatus.CANCELLED: "本报告已作废，请勿使用 CANCELLED, do not use",
}

#: What stands across an earlier version that is printed: large, small, and at its head.
SUPERSEDED: Mapping[ReportStatus, tuple[str, str, str]] = {
    ReportStatus.FINAL: ("已被替代", "SUPERSEDED", "已出正式报告，请勿使用 SUPERSEDED, do not use"),
    ReportStatus.AMENDED: ("已被修订", "SUPERSEDED", "已被修订，请勿使用 SUPERSEDED, do not use"),
    ReportStatus.CORRECTED: ("已被更正", "SUPERSEDED", "已被更正，请勿使用 SUPERSEDED, do not use"),
    ReportStatus.APPENDED: ("已有补充", "SUPERSEDED", "已有补充，请用新版 SUPERSEDED, see the addendum"),
    ReportStatus.CANCELLED: ("已作废", "CANCELLED", "报告已作废，请勿使用 CANCELLED, do not use"),
}

WITHDRAWALS: Mapping[Withdrawal, str] = {
    Withdrawal.WRONG_PATIENT: "患者错误 Wrong patient",
    Withdrawal.WRONG_STUDY: "检查错误 Wrong study",
    Withdrawal.SIGNED_IN_ERROR: "误签发 Signed in error",
    Withdrawal.OTHER: "其他 Other",
}

#: How the readings before the signer's are called.
STAGES: Mapping[Stage, str] = {
    Stage.FIRST: "初读 First reading",
    Stage.SECOND: "二次阅片 Second reading",
}

SEXES: Mapping[str, str] = {"M": "男 M", "F": "女 F", "O": "其他 O"}

#: T0 to T6, see the product's clock.
POINTS = (
    ("T0", "送检完成", "Sent, request placed"),
    ("T1", "首幅可阅", "First image ready"),
    ("T2", "资料完整", "Study complete"),
    ("T3", "接诊", "Claimed"),
    ("T4", "签发", "Signed"),
    ("T5", "送达", "Delivered"),
    ("T6", "已阅", "Read"),
)


def reason_of(report: Report) -> str:
    """Say why a version replaces the one before; nothing where it does not say."""
    return "；".join(filter(None, (report.cause and WITHDRAWALS[report.cause], report.reason)))


def heading_of(number: int, addendum: Addendum) -> str:
    """Say whose addendum it is, and when it was signed."""
    return f"补充 Addendum {number}　{addendum.by.name}　{local(addendum.at)}"


def plain(text: str) -> str:
    """Return a stranger's *text* so that reportlab's markup takes nothing in it for a tag."""
    return escape(text).replace("\n", "<br/>")


def local(at: datetime | None) -> str:
    """Say *at* in China's time, to the second; a dash for what has not happened."""
    return "—" if at is None else at.astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S")


def earlier(reading: EarlierReading) -> str:
    """Say who read what before the signer, and when they signed it."""
    name = reading.region and REGION_NAMES[reading.region]
    what = f"分区阅片·{name.zh} {name.en} section" if name else STAGES[reading.stage]
    return f"{what}: {reading.by.name}　{local(reading.signed_at)}"


def span(seconds: float) -> str:
    """Say how long: 5:07, or 1:02:03 from an hour on."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def age_of(report: Report) -> str:
    """Return the age in years, a dash when it is not known."""
    return "—" if report.patient.age is None else f"{report.patient.age} 岁 y"
