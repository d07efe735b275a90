from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_node.archive.completeness import Kept, Missing, Proof, Verdict, judge

AT = datetime(2026, 3, 2, tzinfo=UTC)
AXIAL = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]


def an_image(number=None, *, series=1, uid=None, **attributes):
    name = uid or f"{series}.{number}"
    return Kept(name, "1.2.840.10008.5.1.4.1.1.2", f"series{series}", series, number, attributes, "CT1", AT)


def judged(images, announced=None, committed=None):
    return judge(images, announced=None if announced is None else frozenset(announced), committed=committed)


def slices(*places):
    return [
        an_image(uid=str(place), ImageOrientationPatient=AXIAL, ImagePositionPatient=[0.0, 0.0, float(place)]) for place in places
    ]


def test_a_step_that_named_what_is_here_proves_it_at_once():
    images = [an_image(1), an_image(2)]
    assert judged(images, ["1.1", "1.2"]) == Verdict(Proof.MPPS, final=True)
    assert judged(images, ["1.1"]) == Verdict(Proof.MPPS, final=True)
    assert judged(images, ["1.1", "1.2", "1.3", "1.4"]) == Verdict(missing=(Missing(None, "", 2),))
    assert judged(images, []).proof is None


def test_the_study_s_own_count_proves_it_at_once_and_a_series_count_after_a_pause():
    assert judged([an_image(n, NumberOfStudyRelatedInstances=2) for n in (1, 2)]) == Verdict(Proof.COUNT, final=True)
    assert judged([an_image(1, NumberOfStudyRelatedInstances=3)]).missing == (Missing(None, "", 2),)
    assert judged([an_image(n, NumberOfSeriesRelatedInstances=2) for n in (1, 2)]) == Verdict(Proof.COUNT)
    assert judged([an_image(1, series=4, NumberOfSeriesRelatedInstances=3)]).missing == (Missing(4, "", 2),)


def test_images_in_acquisition_prove_something_only_where_they_fit():
    def acquired(numbers, acquisition, count):
        return [an_image(n, AcquisitionNumber=acquisition, ImagesInAcquisition=count) for n in numbers]

    assert judged([*acquired((1, 2), 1, 2), *acquired((3,), 2, 1)]).proof is Proof.COUNT
    assert judged([*acquired((1, 2), 1, 2), an_image(1, series=2)]).proof is None
    assert judged(acquired((1, 2), 1, 400)) == Verdict()


def test_a_request_for_commitment_proves_it_when_it_named_everything():
    images = [an_image(1), an_image(2)]
    assert judged(images, committed=2).proof is Proof.COMMITMENT
    assert judged(images, committed=1).proof is None


@pytest.mark.parametrize(
    ("numbers", "missing"),
    [
        ([*range(1, 17), 20], [Missing(1, "17-19", 3)]),
        ([1, 2, 3, 5, 6, 7, 8, 9, 12], [Missing(1, "4, 10-11", 3)]),
        ([5, 6, 7, 8], []),  # where a series begins is its maker's business
        ([1, 1, 2, 2, 3, 3, 4, 4], []),
        ([1, 2, 9], []),
        ([1, 101, 201, 301], []),  # numbered in hundreds
        ([1, 2, None, 4, 5], [Missing(1, "3", 1)]),
    ],
)
def test_a_gap_in_the_numbers_of_a_series_is_named(numbers, missing):
    assert list(judged([an_image(n, uid=str(i)) for i, n in enumerate(numbers)]).missing) == missing


@pytest.mark.parametrize(
    ("places", "count"),
    [
        (range(0, 50, 5), 0),
        ([0, 5, 10, 15, 30, 35, 40, 45, 50], 2),
        ([0, 5, 10, 15, 22, 27, 32], 0),  # a step of another kind is no hole
        ([0, 1, 2, 3, 10, 17, 24, 31], 0),  # two kinds of spacing
        ([0, 5], 0),
    ],
)
def test_a_hole_in_a_stack_of_slices_is_counted(places, count):
    missing = judged(slices(*places)).missing
    assert missing == ((Missing(1, "", count),) if count else ())


def test_planes_that_differ_are_no_stack():
    sagittal = [0.0, 1.0, 0.0, 0.0, 0.0, -1.0]
    tilted = an_image(uid="s", ImageOrientationPatient=sagittal, ImagePositionPatient=[0.0, 0.0, 7.0])
    assert judged([*slices(0, 5, 10, 15, 30, 35, 40, 45, 50), tilted]).missing == ()


@given(
    st.lists(
        st.builds(
            an_image,
            st.one_of(st.none(), st.integers(-(2**31), 2**31 - 1)),
            uid=st.uuids().map(str),
            series=st.integers(1, 3),
            ImagePositionPatient=st.lists(st.floats(-1e308, 1e308), max_size=4),
            ImageOrientationPatient=st.one_of(st.just(AXIAL), st.lists(st.floats(-1e308, 1e308), max_size=7)),
            ImagesInAcquisition=st.integers(-5, 5),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_whatever_a_device_writes_is_judged(images):
    verdict = judged(images)
    assert all(0 < gap.count <= len(images) for gap in verdict.missing)
