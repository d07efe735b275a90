"""The clock of record: T0 to T6 of each consultation, and the figures made of them.

One row per task, each point written by the action that makes it true, in that action's own transaction. That is why the
slice stands *below* queue, reports and delivery: they stamp it, and it asks nothing of them.
"""
