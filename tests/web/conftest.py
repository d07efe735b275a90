"""A running site, and browsers in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.site import Site


@pytest.fixture
def site(database, chronicle, tmp_path: Path) -> Iterator[Site]:
    site = Site(database, chronicle, tmp_path)
    site.start()
    yield site
    site.stop()
