"""`python -m sample_data.generate OUT` makes every sample anew: the same pictures and samples from the same seeds."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path

from sample_data import images, recordings
from sample_data.tags import keep

ORIGIN = "python -m sample_data.generate"
LICENCE = "Apache-2.0"

#: Folder or file name's beginning -> what it is, for the manifest.
CONTENTS: Mapping[str, str] = {
    "studies/ct-head": "CT head phantom with a bleeding in the left basal ganglia, 62 slices, JPEG-LS lossless",
    "studies/cr-chest": "CR chest phantom with a nodule in the right upper field, JPEG-LS lossless",
    "studies/us-heart": "Colour ultrasound cine phantom, 36 frames, YBR_FULL_422, JPEG baseline",
    "studies/ecg-normal": "12-lead ECG, sinus rhythm",
    "studies/ecg-atrial-fibrillation": "12-lead ECG, atrial fibrillation",
    "studies/ecg-inferior-st-elevation": "12-lead ECG, inferior ST elevation",
    "studies/ecg-complete-av-block": "12-lead ECG, complete AV block",
    "studies/ecg-noisy-leads": "12-lead ECG, one lead off, mains and muscle noise, wandering baseline",
    "uploads/demo_af": "WFDB record, format 16, atrial fibrillation",
    "uploads/demo_inferior_st": "CSV with declared gain, inferior ST elevation",
}


def generate(out: Path) -> list[Path]:
    """Write every file below *out* and return the paths, sorted."""
    written = [out / "studies" / f"{sample.key}.dcm" for sample in recordings.SAMPLES]
    for path, sample in zip(written, recordings.SAMPLES, strict=True):
        _write(path, recordings.as_dicom(sample))
    for number, image in enumerate(images.ct_series(), 1):
        path = out / "studies" / "ct-head" / f"{number:03d}.dcm"
        keep(image, path)
        written.append(path)
    for name, image in (("cr-chest", images.cr_plate()), ("us-heart", images.us_cine())):
        path = out / "studies" / f"{name}.dcm"
        keep(image, path)
        written.append(path)
    for name, content in (*recordings.as_wfdb(), recordings.as_csv()):
        _write(out / "uploads" / name, content)
        written.append(out / "uploads" / name)
    return sorted(written)


def manifest(out: Path, written: list[Path]) -> str:
    """Return the manifest of *written* as TOML: what each file is, where it came from, under which licence, its SHA-256."""
    entries = ["# Written by `python -m sample_data.generate`; every file is synthetic."]
    for path in written:
        name = path.relative_to(out).as_posix()
        content = next(said for begin, said in CONTENTS.items() if name.startswith(begin))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        fields = {"path": name, "content": content, "origin": ORIGIN, "licence": LICENCE, "sha256": digest}
        entries.append("\n".join(["[[file]]", *(f'{key} = "{value}"' for key, value in fields.items())]))
    return "\n\n".join(entries) + "\n"


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def main() -> None:
    """Write the samples into the folder given, and their manifest beside it."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m sample_data.generate OUT (sample_data/files renews the committed set)")
    out = Path(sys.argv[1])
    written = generate(out)
    out.with_name("manifest.toml").write_text(manifest(out, written), encoding="utf-8")
    sys.stdout.write(f"{len(written)} files, {sum(path.stat().st_size for path in written)} bytes\n")


if __name__ == "__main__":
    main()
