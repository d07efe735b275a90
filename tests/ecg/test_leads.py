import pytest

from ecg.leads import LEADS, TWELVE, lead_named
from ecg.recording import with_limb_leads
from sample_data.ecg_synthesis import synthesise


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("I", "I"), ("i", "I"), ("Lead I", "I"), ("Lead I (Einthoven)", "I"), ("MDC_ECG_LEAD_AVF", "aVF"), ("avr", "aVR"),
        ("5.6.3-9-61", "III"), ("2:3", "V1"), ("ECG Lead V6", "V6"), ("lead_ii", "II"), ("aVL (augmented)", "aVL"),
    ],
)  # fmt: skip
def test_a_lead_is_known_by_every_spelling(text: str, name: str):
    assert lead_named(text) == LEADS[name]


def test_an_unknown_lead_keeps_its_name_without_a_code():
    lead = lead_named("MLII")
    assert (lead.name, lead.mdc_code, lead.scp_code) == ("MLII", "", "")


def test_missing_limb_leads_follow_from_one_and_two():
    whole = synthesise("normal", seed=3)
    eight = [row for row, lead in enumerate(TWELVE) if lead.name not in ("III", "aVR", "aVL", "aVF")]
    part = type(whole)("t", tuple(TWELVE[row] for row in eight), 500, whole.millivolts[eight].copy())
    again = with_limb_leads(part)
    assert again.leads == TWELVE
    assert abs(again.millivolts - whole.millivolts).max() < 0.0011
