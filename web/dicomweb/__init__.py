"""DICOMweb (PS3.18) over the archive: search, retrieve and store, for OHIF, for scripts and for our own viewer.

It translates: what is kept, what matches and how pixels become pictures is decided in `dicom_node`, who may see a study
in `consult.access`. Every read is checked against that and goes into the audit trail; an object that is absent and one
that is not for this viewer get the same answer. Nothing here is compressed a second time on its way out.
"""
