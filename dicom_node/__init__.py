"""The DICOM node: an application entity with an archive behind it.

Two doors are open to the rest of the house: `dicom_node.archive` (what is kept) and `dicom_node.imaging` (what is
shown of it). The node itself, its services and its peers are the composition root's business. The package calls
nothing above it: what happened travels up through the event log.
"""
