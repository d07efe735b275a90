"""Searching the index as QIDO-RS (PS3.18 10.6) and C-FIND (PS3.4 C.4.1) ask: keys, order, limit, offset."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection

from dicom_node.archive.index import Instance, Series, Study
from dicom_node.archive.matching import Query


@dataclass(frozen=True)
class FoundSeries:
    """A series and the study it belongs to."""

    series: Series
    study: Study


@dataclass(frozen=True)
class FoundInstance:
    """An instance, its series and its study."""

    instance: Instance
    series: Series
    study: Study


def search_studies(db: Connection, visible: ColumnElement[bool], query: Query) -> list[Study]:
    """Return the studies under *visible* (a condition over study_table) that match, newest first."""
    raise NotImplementedError


def search_series(db: Connection, visible: ColumnElement[bool], query: Query) -> list[FoundSeries]:
    """Return the matching series, by study (newest first), then by number; study-level keys match too."""
    raise NotImplementedError


def search_instances(db: Connection, visible: ColumnElement[bool], query: Query) -> list[FoundInstance]:
    """Return the matching instances, by study, series and number; study- and series-level keys match too."""
    raise NotImplementedError
