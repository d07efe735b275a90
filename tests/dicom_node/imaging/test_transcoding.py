"""What is transcoded holds the same pixels: decoded by two other people's decoders, over every test file of pydicom."""

from __future__ import annotations

import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_frames
from support.dcmtk import run as dcmtk

from dicom_node.imaging.elements import EXPLICIT_LITTLE
from dicom_node.imaging.frames import frame
from dicom_node.imaging.imaging import Imaging
from dicom_node.imaging.shelf import LEAST, Shelf
from dicom_node.imaging.transcoding import HTJ2K_LOSSLESS, JPEG_LS_LOSSLESS, UNCOMPRESSED
from telemed.kernel.confinement import Confinement
from telemed.kernel.errors import TelemedError, Unavailable

FILES = Path(pydicom.__file__).parent / "data" / "test_files"
#: Labelled explicit and written implicit: pydicom reads it, and does not write it again.
UNWRITABLE = {"SC_rgb_jpeg.dcm"}


@pytest.fixture(scope="module")
def confinement():
    confinement = Confinement(processes=2)
    yield confinement
    confinement.close()


@pytest.fixture
def imaging(confinement: Confinement, tmp_path: Path) -> Imaging:
    return Imaging(confinement, shelf=Shelf(tmp_path / "shelf", 64 << 20))


def pixels_of(path: Path) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydicom.dcmread(path).pixel_array


@pytest.mark.parametrize("syntax", [JPEG_LS_LOSSLESS, HTJ2K_LOSSLESS, *UNCOMPRESSED])
def test_no_pixel_changes_whatever_it_is_brought_to(syntax: str, imaging: Imaging, tmp_path: Path) -> None:
    done, failed = 0, {}
    for path in sorted(FILES.glob("*.dcm")):
        try:
            if not imaging.can_rewrite_in(path, syntax, digest=path.name):
                continue
            ours = np.frombuffer((ready := frame(path, 1)).data, np.uint8)
            layout = imaging.layout(path, path.name)
            pixels_of(path)
        except (TelemedError, ValueError, AttributeError, RuntimeError):
            continue  # pydicom does not decode the original either
        try:
            with imaging.object_in(path, syntax, digest=path.name) as file:
                (written := tmp_path / "written.dcm").write_bytes(file.read())
        except TelemedError as error:
            failed[path.name] = error.sentence
            continue
        data_set = pydicom.dcmread(written)
        assert data_set.file_meta.TransferSyntaxUID == syntax
        decoded = pixels_of(written)
        first = decoded[0] if layout.frames > 1 else decoded
        assert np.array_equal(np.frombuffer(first.tobytes(), np.uint8), ours), (path.name, ready.photometric)
        if syntax not in UNCOMPRESSED:
            in_it = list(generate_frames(data_set.PixelData, number_of_frames=layout.frames))
            alone = imaging.frame_in(path, layout.frames, syntax, digest=path.name)
            assert in_it[-1].rstrip(b"\0") == alone.data.rstrip(b"\0")
            assert alone.photometric == data_set.PhotometricInterpretation
        done += 1
    assert done >= (55 if syntax in UNCOMPRESSED else 45), failed
    assert failed.keys() <= UNWRITABLE, failed


@pytest.mark.parametrize(("syntax", "program"), [(JPEG_LS_LOSSLESS, "dcmdjpls"), (EXPLICIT_LITTLE, "dcmconv")])
@pytest.mark.parametrize("name", ["CT_small.dcm", "examples_rgb_color.dcm", "MR_small_RLE.dcm", "JPEG2000.dcm"])
def test_dcmtk_reads_what_is_rewritten(syntax: str, program: str, name: str, imaging: Imaging, tmp_path: Path) -> None:
    with imaging.object_in(FILES / name, syntax, digest=name) as file:
        (written := tmp_path / "written.dcm").write_bytes(file.read())
    ended = dcmtk(program, written, tmp_path / "plain.dcm")
    assert ended.returncode == 0, ended.stderr
    assert np.array_equal(pixels_of(tmp_path / "plain.dcm"), pixels_of(FILES / name))


def test_what_is_not_asked_for_again_leaves_the_shelf_first(tmp_path: Path) -> None:
    shelf, made = Shelf(tmp_path / "shelf", 5 * LEAST), []

    def get(key: str) -> bytes:
        def make(out: BinaryIO) -> None:
            made.append(key)
            out.write(key.encode() * 2 * LEAST)

        with shelf.get(key, make) as file:
            return file.read()

    for key in "abacab":
        assert get(key) == key.encode() * 2 * LEAST
    assert made == ["a", "b", "c", "b"]
    assert sum(file.stat().st_size for file in (tmp_path / "shelf").iterdir()) <= 5 * LEAST
    with pytest.raises(ZeroDivisionError):
        shelf.get("d", lambda _: 1 // 0)
    assert len(list((tmp_path / "shelf").iterdir())) == 2
    Shelf(tmp_path / "shelf", 5 * LEAST)
    assert not any((tmp_path / "shelf").iterdir())


def test_small_files_are_bounded_in_number(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "shelf", 3 * LEAST)
    for key in "abcad":
        shelf.get(key, lambda out: out.write(b"small")).close()
    assert shelf.find("b") is None
    for key in "acd":
        file = shelf.find(key)
        assert file is not None
        with file:
            assert file.read() == b"small"
    assert len(list((tmp_path / "shelf").iterdir())) == 3


def test_what_many_want_at_once_is_made_once(tmp_path: Path) -> None:
    shelf, made = Shelf(tmp_path / "shelf", 1000), []

    def make(out: BinaryIO) -> None:
        made.append(1)
        time.sleep(0.2)
        out.write(b"whole")

    def get(_: int) -> bytes:
        with shelf.get("key", make) as file:
            return file.read()

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(get, range(8))) == [b"whole"] * 8
    assert len(made) == 1


def test_a_cache_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "shelf", 1000)
    (tmp_path / "shelf").rmdir()
    with pytest.raises(Unavailable, match="cache"):
        shelf.get("key", lambda _: None)


def test_what_somebody_deleted_from_the_shelf_is_made_again(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "shelf", 3 * LEAST)
    for _ in range(2):
        with shelf.get("a", lambda out: out.write(b"made")) as file:
            assert file.read() == b"made"
        for kept in (tmp_path / "shelf").iterdir():
            kept.unlink()
    assert shelf.find("a") is None
