"""Electrocardiograms: a file in, a calibrated recording, measurements and coded statements out.

Pure: no database, no network, nothing else of ours. Importing this package is cheap; numpy is loaded by the modules that
calculate and pydicom by the one format that needs it. Everything that cannot be read raises `EcgError` with one sentence;
everything that can be read can be analysed, and what cannot be measured is said to be so instead of being invented.

The doors: `ecg.formats.read`, `ecg.pipeline.analyse`, `ecg.formats.dicom.write`, `ecg.rendering`.
"""

from ecg.errors import EcgError

__all__ = ["EcgError"]
