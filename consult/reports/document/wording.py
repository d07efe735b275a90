"""The document's words: Chinese first, a small English caption beneath or beside."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

from consult.queue.model import Stage
from consult.reports.model import Report, ReportStatus
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


def plain(text: str) -> str:
    """Return a stranger's *text* so that reportlab's markup takes nothing in it for a tag."""
    return escape(text).replace("\n", "<br/>")


def local(at: datetime | None) -> str:
    """Say *at* in China's time, to the second; a dash for what has not happened."""
    return "—" if at is None else at.astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S")


def span(seconds: float) -> str:
    """Say how long: 5:07, or 1:02:03 from an hour on."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def age_of(report: Report) -> str:
    """Return the age in years, a dash when it is not known."""
    return "—" if report.patient.age is None else f"{report.patient.age} 岁 y"
