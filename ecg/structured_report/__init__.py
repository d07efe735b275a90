"""An analysis as a DICOM ECG Report (PS3.16 TID 3700), written and read back. Needs pydicom."""

from ecg.structured_report.reading import Contents, read
from ecg.structured_report.writing import write

__all__ = ["Contents", "read", "write"]
