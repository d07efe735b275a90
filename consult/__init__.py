"""The consultation: slices on the patient's path, one shape each.

Every slice has a `model` (plain Python), `tables` (how it is kept), `actions` (one function per verb, in the caller's
transaction) and `views` (what is shown). `intake` joins them: it follows the archive's events and turns a study into a
request, a triage and a task. `access` says which studies a person may see.

It decides nothing medical, draws nothing, and knows neither HTTP nor DICOM associations.
"""
