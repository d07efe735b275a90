"""The PDF of a report.

Which bytes are signed: `Documents.make` renders the pages and puts the signer's PAdES signature over them (`signature`) before
the signing transaction, which then keeps these bytes and their SHA-256 beside the report; they carry T0 to T4 and never
change. T5 and T6 happen later and stand on a document of their own, the delivery slip: pages added behind a signature are what
every PDF reader warns of. The slip names the digest of the signed file.
"""
