"""A clock that moves only when a test says so."""

from datetime import UTC, datetime, timedelta


class StandingClock:
    def __init__(self, at: datetime = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def pass_(self, **span: float) -> datetime:
        """Let time pass: pass_(minutes=5)."""
        self.at += timedelta(**span)
        return self.at
