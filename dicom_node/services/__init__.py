"""One module per service class of PS3.4: what a request means, said to the archive and answered in DICOM's words."""
