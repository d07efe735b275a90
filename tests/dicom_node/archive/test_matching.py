import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, literal, select

from dicom_node.archive import matching
from dicom_node.archive.matching import AnyOf, Range, Universal, Wildcard
from telemed.kernel.errors import Invalid

ENGINE = create_engine("sqlite://")
TEXTS = st.text("abAB*?%_!^ 王", max_size=6)


def in_sql(condition):
    with ENGINE.connect() as db:
        return bool(db.execute(select(condition)).scalar_one())


@pytest.fixture(scope="module")
def both(postgres):
    other = create_engine(postgres.url())
    with ENGINE.connect() as sqlite, other.connect() as postgresql:
        yield sqlite, postgresql
    other.dispose()


@given(TEXTS, TEXTS)
def test_a_text_key_says_the_same_in_python_and_in_sql_on_either_database(both, key, value):
    criterion = matching.text(key)
    condition = criterion.condition(literal(value)).written()
    assert [bool(db.scalar(select(condition))) for db in both] == [criterion.matches(value)] * 2


@given(st.text("abc*?", max_size=6), st.text("abc", max_size=6))
def test_wildcards_mean_what_they_mean_in_a_shell(key, value):
    assert Wildcard(key).matches(value) == fnmatch.fnmatchcase(value, key)


@given(st.dates().map(lambda day: f"{day:%Y%m%d}".zfill(8)), st.dates(), st.dates())
def test_a_date_range_says_the_same_in_python_and_in_sql(value, first, last):
    for key in (f"{first:%Y%m%d}".zfill(8), f"{first:%Y%m%d}".zfill(8) + "-", "-" + f"{last:%Y%m%d}".zfill(8)):
        criterion = matching.date(key)
        assert criterion.matches(value) == in_sql(criterion.condition(literal(value)).written())


@pytest.mark.parametrize(
    ("key", "value", "matches"),
    [
        ("20260302", "20260302", True), ("20260302", "20260303", False), ("-20260302", "20260302", True),
        ("-20260302", "", False),
        ("20260302-", "20260301", False), ("20260301-20260303", "20260302", True), ("", "", True), ("*", "20260302", True),
    ],
)  # fmt: skip
def test_a_date_matches_as_ps3_4_says(key, value, matches):
    assert matching.date(key).matches(value) is matches


@pytest.mark.parametrize(
    ("key", "value", "matches"),
    [("08", "081530", True), ("0815-0816", "081659.5", True), ("0815-0816", "081700", False), ("08:15-", "0814", False)],
)
def test_a_time_matches_to_the_precision_of_its_key(key, value, matches):
    assert matching.time(key).matches(value) is matches


DAYS, TIMES = st.sampled_from(["", "20260705", "20260706", "20260707"]), st.sampled_from(["", "06", "1000", "120000.5", "2200"])


@given(st.tuples(DAYS, DAYS), st.tuples(TIMES, TIMES), DAYS, st.sampled_from(["", "0600", "100000", "1200", "120000.4", "2300"]))
def test_a_period_says_the_same_in_python_and_in_sql_on_either_database(both, days, times, day, time):
    if not any(days) or not any(times) or (found := matching.period("-".join(days), "-".join(times))) is None:
        return
    condition = found.condition(literal(day), literal(time)).written()
    assert [bool(db.scalar(select(condition))) for db in both] == [found.matches(day, time)] * 2


@pytest.mark.parametrize(
    ("dates", "times", "is_one"),
    [
        ("20260705-20260707", "1000-1800", True), ("20260705-", "1000-", True), ("-20260707", "-1800", True),
        ("20260705", "1000-1800", False), ("20260705-20260707", "10", False), ("20260705-", "-1800", False),
        ("20260705-20260707", "1000-", False), ("", "1000-1800", False), ("20260705-20260707", "*", False),
    ],
)  # fmt: skip
def test_ranges_of_dates_and_times_are_one_period_where_both_are_of_one_form(dates, times, is_one):
    assert (matching.period(dates, times) is not None) == is_one


@pytest.mark.parametrize("key", ["2026", "yesterday", "20260301-2026", "-", "20260301-20260302-20260303"])
def test_a_date_that_cannot_be_read_is_refused_with_advice(key):
    with pytest.raises(Invalid, match="YYYYMMDD"):
        matching.date(key)


def test_a_list_of_uids_is_parted_by_backslash_or_comma_and_an_empty_one_is_universal():
    assert matching.uids("1.2\\1.3") == matching.uids("1.2,1.3") == AnyOf(("1.2", "1.3"))
    assert matching.uids("") == Universal()
    assert matching.date("20260301-20260302") == Range("20260301", "20260302")


def test_a_wildcard_of_many_asterisks_ends_at_once():
    assert not Wildcard("*" * 500 + "b").matches("a" * 500)


@pytest.mark.parametrize(
    ("key", "matches"),
    [
        ("wang*", True), ("WANG^XIAODONG", True), ("王*", True), ("小东", False), ("*小东", True), ("Wang*=王*", True),
        ("Li=王*", False), ("", True),
    ],
)  # fmt: skip
def test_a_name_matches_in_any_of_its_groups(key, matches):
    groups = ("Wang^XiaoDong", "王^小东", "")
    assert matching.name_matches(key, groups) is matches
    columns = (literal(matching.folded(groups[0])), literal(groups[1]), literal(groups[2]))
    assert in_sql(matching.name_condition(key, *columns).written()) is matches
