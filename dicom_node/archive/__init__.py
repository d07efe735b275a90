"""Every object we keep is a SOP Instance, and is kept here: the bytes as they were received, and an index over them.

`archive.Archive` stores and opens, `index` and `search` answer from the rows, `settling` notices that a study has
stopped growing, `verification` proves that rows and bytes still agree. Nothing here decodes a pixel or a waveform.
Everything is keyed by (institution, ...): two clinics may hold the same study without seeing each other's.
"""
