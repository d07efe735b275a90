"""DICOM waveforms (PS3.3 A.34, C.10.9): 12-lead, general, ambulatory and 32-bit ECG, read and written.

Hemodynamic and other waveforms are read as far as they hold an ECG.
"""

from ecg.formats.dicom.reading import read
from ecg.formats.dicom.writing import AMBULATORY, GENERAL, GENERAL_32_BIT, TWELVE_LEAD, write, write_to

__all__ = ["AMBULATORY", "GENERAL", "GENERAL_32_BIT", "TWELVE_LEAD", "read", "write", "write_to"]
