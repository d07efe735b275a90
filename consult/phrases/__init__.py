"""常用语: the templates a report begins with and the macros it is put together from.

A set is built in, Chinese first; a hospital and each of its specialists keep their own beside it, often copied from
there, and what one keeps stands before what one's hospital keeps and what is built in. Every change is a further version,
so that each can be taken back. Which template fits a study is decided by its modality, the region of the body and the lane.
"""
