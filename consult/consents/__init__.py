"""The patient's consent: what was agreed to, by whom, on which paper; and the standing agreements of routed studies.

Nothing identified crosses institutions without one of the two. A photograph of the paper and a drawn signature are kept
as they came, with their digest; the paper itself stays at the clinic.
"""
