"""The PDF of a report, and the DICOM objects it is returned in.

Which bytes are signed: `Documents.make` renders the pages and puts the signer's PAdES signature over them (`signature`) before
the signing transaction, which then keeps these bytes and their SHA-256 beside the report; they carry T0 to T4 and never
change. T5 and T6 happen later and stand on a document of their own, the delivery slip: pages added behind a signature are what
every PDF reader warns of. The slip names the digest of the signed file.

A Structured Report (`structured_report`) says the same in DICOM's words, an Encapsulated PDF (`encapsulated`) carries the
signed bytes; both are made after the signature, from what it covers.
"""
