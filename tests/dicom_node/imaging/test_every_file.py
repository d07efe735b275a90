"""Every file that can be decoded is shown as dcmtk, or where dcmtk cannot, as pydicom shows it, within one shade of grey.

It walks pydicom's own test files and, with TELEMED_TEST_DATA, every file below its folder "dicom".
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from support.pictures import NotShown, by_dcmtk, by_dcmtk_over_pydicom, by_pydicom

from dicom_node.imaging.frames import stored_frame
from dicom_node.imaging.layout import Layout, Span, layout_of
from dicom_node.imaging.presentation import Presentation, presentation_of
from dicom_node.imaging.rendering import picture
from dicom_node.imaging.voi import automatic, rescaled
from telemed.kernel.confinement import Confinement
from telemed.kernel.errors import TelemedError

FOLDERS = [Path(pydicom.__file__).parent / "data" / "test_files"]
if os.environ.get("TELEMED_TEST_DATA"):
    FOLDERS.append(Path(os.environ["TELEMED_TEST_DATA"]) / "dicom")

#: Where dcmtk's picture is not the right one, and why. Another reference must agree with ours there.
NOT_AS_DCMTK = {
    "2021-02-19-MalaterreCP246.dcm": "dcmtk 3.6.7 misreads this JPEG-LS stream; two versions of CharLS agree with us",
    "CTImage.dcm_JPEGLSLossyTransferSyntax_1.2.840.10008.1.2.4.81.dcm": "dcmtk 3.6.7 loses the sign of near-lossless JPEG-LS",
    "GH195.dcm": "JFIF and its subsampled second component say YCbCr; dcmtk believes the data set's RGB, pydicom rounds apart",
    "GH610.dcm": "a slope of 6e-8 is below dcmtk's precision; it shows one shade",
    "RI6XDosiGap.dcm": "a window narrower than 1 cannot be LINEAR (PS3.3 C.11.2.1.2.1); dcmtk shows one shade",
    "YBR_FULL-RLE.dcm": "dcmtk cuts off in its colour transform what should be rounded, ours is right to half a shade",
    "rtdose_expb.dcm": "dcmtk swaps 32-bit samples in halves; the little endian original agrees with us",
    "rtdose_expb_1frame.dcm": "dcmtk swaps 32-bit samples in halves; the little endian original agrees with us",
    "CT0012.fragmented_no_bot_jpeg_baseline.51.dcm": "dcmtk needs an offset table; pydicom's 12 bits round apart",
    "RG3_JPLY": "where the cosine transform overshoots ten bits, dcmtk wraps white round to black",
    "TC0327_mono2_spp3.dcm": "three samples of MONOCHROME2: the file contradicts itself",
}
#: No exact reference is left for these: the share of pixels that may differ from the nearest one.
MAY_DIFFER = {
    "CT0012.fragmented_no_bot_jpeg_baseline.51.dcm": 0.01,
    "GH195.dcm": 0.06,
    "RG3_JPLY": 1e-5,
    "TC0327_mono2_spp3.dcm": 1.0,
}


@dataclass(frozen=True)
class Case:
    """One frame of one file, ours beside theirs."""

    path: Path
    number: int
    layout: Layout
    how: Presentation
    ours: np.ndarray

    def options(self) -> list[str]:
        """Return how dcmtk is to be asked for the same window."""
        if self.ours.ndim == 3:
            return []
        if self.how.voi is not None:
            return ["+Wl", "1"]
        if self.how.window is not None:
            own = (self.how.window.centre, self.how.window.width)
            return ["+Wi", "1"] if not self.layout.frames > 1 else ["+Ww", *map(str, own)]
        if self.how.padding is None:
            return ["+Wm"]
        pixels = pydicom.pixels.pixel_array(self.path, index=self.number - 1)
        padding = (pixels >= self.how.padding[0]) & (pixels <= self.how.padding[1])
        window = automatic(rescaled(pixels, self.how.slope, self.how.intercept), padding)
        return ["+Ww", str(window.centre + 0.5), str(window.width + 1)]


def distance(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return the share of pixels more than one shade apart; all of them when the sizes differ."""
    return float((np.abs(ours.astype(int) - theirs) > 1).mean()) if ours.shape == theirs.shape else 1.0


def judged(case: Case, folder: Path) -> tuple[str, str]:
    """Return ("same", by whom), ("excused", why), ("different", how much) or ("not compared", why)."""
    said: list[str] = []
    references = {
        "dcmtk": lambda: by_dcmtk(case.path, case.number, case.options(), case.layout.transfer_syntax_uid),
        "dcmtk over pydicom": lambda: by_dcmtk_over_pydicom(case.path, case.number, case.options(), folder),
        "pydicom": lambda: by_pydicom(case.path, case.number),
    }
    compared = False
    for name, reference in references.items():
        try:
            share = distance(case.ours, reference())
        except NotShown as error:
            said.append(f"{name}: {error}")
            continue
        if share == 0:
            return ("excused", NOT_AS_DCMTK[case.path.name]) if compared else ("same", name)
        if share <= MAY_DIFFER.get(case.path.name, 0):
            return "excused", NOT_AS_DCMTK[case.path.name]
        said.append(f"{name}: {share:.2%} of the pixels differ")
        compared = True
        if case.path.name not in NOT_AS_DCMTK:
            break
    return ("different" if compared else "not compared"), "; ".join(said)


class Walk:
    """Every frame worth looking at, each content once: the corpus has one picture under 200 headers."""

    def __init__(self, confinement: Confinement) -> None:
        self._confinement = confinement
        self._seen: set[str] = set()
        self.refused: Counter[str] = Counter()

    def cases(self, path: Path) -> Iterator[Case]:
        try:
            layout = self._confinement.run(layout_of, path)
            how = self._confinement.run(presentation_of, path, 1)
        except TelemedError as error:
            self.refused[error.sentence.split(":")[0][:60]] += 1
            return
        for number in sorted({1, layout.frames}):
            try:
                stored = self._confinement.run(stored_frame, path, number, layout)
                how = self._confinement.run(presentation_of, path, number)
                ours = self._confinement.run(picture, path, number)
                said = (replace(layout, value=Span(0, 0), fragments=()), replace(how, data_set=None), path.name in NOT_AS_DCMTK)
                key = hashlib.sha256(stored.data + ours.tobytes() + repr(said).encode()).hexdigest()
                if key not in self._seen:
                    self._seen.add(key)
                    yield Case(path, number, layout, how, ours)
            except TelemedError as error:
                self.refused[error.sentence.split(":")[0][:60]] += 1


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_picture_is_within_one_shade_of_other_peoples_software(tmp_path: Path) -> None:
    outcomes: Counter[tuple[str, str]] = Counter()
    different: list[str] = []
    with ThreadPoolExecutor(2) as threads:
        confinement = Confinement(processes=1)
        try:
            walk = Walk(confinement)
            files = sorted(path for folder in FOLDERS for path in folder.rglob("*") if path.is_file())
            cases = (case for path in files for case in walk.cases(path))
            jobs = [(case.path.name, case.number, threads.submit(judged, case, tmp_path)) for case in cases]
        finally:
            confinement.close()
        for name, number, job in jobs:
            verdict, why = job.result()
            outcomes[verdict, why] += 1
            if verdict == "different":
                different.append(f"{name} frame {number}: {why}")
    for (verdict, why), count in sorted(outcomes.items()):
        print(f"{count:4} {verdict}: {why}")
    for why, count in walk.refused.most_common():
        print(f"{count:4} not shown by us: {why}")
    assert not different
    assert sum(count for (verdict, _), count in outcomes.items() if verdict == "same") >= (50 if len(FOLDERS) == 1 else 250)
