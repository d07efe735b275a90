"""The PDF of a report.

Which bytes are signed: `Documents.make` renders the pages before the signing transaction, which then keeps these bytes
and their SHA-256 beside the report; they carry T0 to T4 and never change. T5 and T6 happen later: `Documents.fetch`
returns the signed bytes followed by an incremental update (ISO 32000-1, 7.5.6) that adds one page, the delivery
slip. The file's first bytes are the signed document, so anyone can cut it there and compare the digest printed on the slip.
"""
