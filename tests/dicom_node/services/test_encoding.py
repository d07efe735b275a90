from io import BytesIO

import pytest
from pydicom.filereader import read_dataset
from pydicom.uid import UID

from dicom_node.services.encoding import encoded
from dicom_node.services.exchange import SYNTAXES

VALUES = {
    "PatientName": "WANG^Fang=王芳",
    "StudyInstanceUID": "1.2.3",
    "ModalitiesInStudy": ("CT", "SR"),
    "Rows": 512,
    "SeriesNumber": -7,
    "PixelSpacing": [0.1, 1 / 3],
    "AccessionNumber": "",
    "PatientBirthDate": None,
    "ScheduledProcedureStepSequence": [{"Modality": "CT", "ScheduledProcedureStepDescription": "胸部"}],
    "ReferencedStudySequence": None,
}


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("charset", ["ISO_IR 192", "GB18030", "GBK"])
def test_pydicom_reads_what_was_encoded(syntax, charset):
    uid = UID(syntax)
    data = encoded(VALUES, charset, uid)
    read = read_dataset(BytesIO(data), uid.is_implicit_VR, uid.is_little_endian)
    assert len(data) % 2 == 0
    assert list(read.keys()) == sorted(read.keys())
    assert (read.SpecificCharacterSet, str(read.PatientName)) == (charset, "WANG^Fang=王芳")
    assert (read.StudyInstanceUID, list(read.ModalitiesInStudy), read.Rows, read.SeriesNumber) == ("1.2.3", ["CT", "SR"], 512, -7)
    assert [float(one) for one in read.PixelSpacing] == pytest.approx([0.1, 1 / 3])
    assert read["AccessionNumber"].is_empty
    assert read["PatientBirthDate"].is_empty
    assert len(read.ReferencedStudySequence) == 0
    [step] = read.ScheduledProcedureStepSequence
    assert (step.Modality, step.ScheduledProcedureStepDescription) == ("CT", "胸部")


def test_a_name_that_gbk_cannot_write_is_written_in_gb18030():
    syntax = UID(SYNTAXES[0])
    read = read_dataset(BytesIO(encoded({"PatientName": "𠮷田"}, "GBK", syntax)), True, True)  # noqa: FBT003 - pydicom's own order
    assert (read.SpecificCharacterSet, str(read.PatientName)) == ("GB18030", "𠮷田")
