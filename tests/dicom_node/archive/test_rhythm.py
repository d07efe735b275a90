from datetime import UTC, datetime, timedelta

from dicom_node.archive.completeness import Kept
from dicom_node.archive.rhythm import LONGEST_QUIET, MOST_STUDIES, observe, quiet_of
from dicom_node.archive.tables import rhythm_table

AT = datetime(2026, 3, 2, tzinfo=UTC)
LEAST = timedelta(seconds=3)


def a_study(*seconds, source="US1"):
    return [Kept(str(second), "1.2", "s", 1, None, {}, source, AT + timedelta(seconds=second)) for second in seconds]


def quiet(db, *sources):
    return quiet_of(db, "lianhua", sources, least=LEAST).total_seconds()


def test_the_quiet_time_is_learned_from_the_longest_pauses(database):
    with database.transaction() as db:
        for count in range(5):
            assert quiet(db, "US1") == 3, count
            observe(db, "lianhua", a_study(0, 1, 9, 10))
        assert quiet(db, "US1") == 12
        assert quiet(db, "US1", "CT1") == 12
        assert quiet(db, "CT1") == 3
        assert quiet_of(db, "hehua", ["US1"], least=LEAST) == LEAST


def test_one_slow_study_of_ten_changes_nothing_and_none_waits_without_end(database):
    with database.transaction() as db:
        observe(db, "lianhua", a_study(0, 100))
        for _ in range(10):
            observe(db, "lianhua", a_study(0, 4))
        assert quiet(db, "US1") == 6
        for _ in range(5):
            observe(db, "lianhua", a_study(0, 100))
        assert quiet(db, "US1") == LONGEST_QUIET.total_seconds()


def test_another_visit_is_no_pause_and_the_old_is_forgotten(database):
    with database.transaction() as db:
        observe(db, "lianhua", [*a_study(0), *a_study(0, 3600, source="CT1")])
        assert db.execute(rhythm_table.select()).all() == []
        for _ in range(MOST_STUDIES + 5):
            observe(db, "lianhua", a_study(0, 10))
        for _ in range(MOST_STUDIES):
            observe(db, "lianhua", a_study(0, 1))
        [row] = db.execute(rhythm_table.select()).all()
    assert row.pauses == [1.0] * MOST_STUDIES
