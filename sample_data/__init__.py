"""Studies and recordings of people who do not exist, for the demo and the tests.

Everything under `files` came out of `python -m sample_data.generate`: shapes, noise and seeds, no person's data. The
manifest names the origin, the licence and the SHA-256 of every file; patients are called 示例 ("example") and carry IDs DEMO-.
"""

from __future__ import annotations

from pathlib import Path

FILES = Path(__file__).parent / "files"
MANIFEST = Path(__file__).parent / "manifest.toml"


def studies() -> list[Path]:
    """Return the DICOM files a modality would send, in sending order: the ECGs first, they are small and may be critical."""
    found = sorted((FILES / "studies").rglob("*.dcm"))
    return sorted(found, key=lambda path: (not path.name.startswith("ecg-"), path))


def uploads() -> list[Path]:
    """Return the ECG files a person would drop on the page: a WFDB record (two files) and a CSV that declares its gain."""
    return sorted(path for path in (FILES / "uploads").iterdir() if path.is_file())
