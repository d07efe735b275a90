"""The turnaround as a table, drawn alike on the signed page (T0 to T4) and on the delivery slip (T0 to T6)."""

from __future__ import annotations

from reportlab.lib.units import mm
from reportlab.platypus import Paragraph, Table

from consult.reports.document.content import Ledger
from consult.reports.document.style import GRID, PARAGRAPHS
from consult.reports.document.wording import POINTS, local, span


def ledger_table(ledger: Ledger, *, until: int, width: float) -> Table:
    """Return T0 to T*until* with the time each came true and what had passed since T0; *width* in points."""
    small, strong = PARAGRAPHS["small"], PARAGRAPHS["small-strong"]
    rows = [[Paragraph(text, strong) for text in ("节点 Point", "时间 Time (UTC+8)", "距 T0 Elapsed")]]
    begin = ledger.stamps[0]
    for (code, zh, en), at in list(zip(POINTS, ledger.stamps, strict=True))[: until + 1]:
        passed = span(max(0.0, (at - begin).total_seconds())) if at and begin else "—"
        rows.append([Paragraph(f"<b>{code}</b>&nbsp; {zh} {en}", small), Paragraph(local(at), small), Paragraph(passed, small)])
    columns = [width - 78 * mm, 48 * mm, 30 * mm]
    return Table(rows, colWidths=columns, style=GRID, repeatRows=1)


def target(ledger: Ledger) -> str:
    """Say the target from T0 to T5, what was used of it and whether it was kept, as far as it is known."""
    if not ledger.budget_s:
        return ""
    begin, delivered = ledger.stamps[0], ledger.stamps[5]
    words = [f"时限 Target (T0–T5): {span(ledger.budget_s)}"]
    if ledger.paused_s:
        words.append(f"暂停 Paused: {span(ledger.paused_s)}")
    if begin and delivered:
        used = (delivered - begin).total_seconds() - ledger.paused_s
        words.append(f"实际 Actual: {span(max(0.0, used))}")
        words.append("按时 Within target" if used <= ledger.budget_s else "超时 Target missed")
    return "　".join(words)
