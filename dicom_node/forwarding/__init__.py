"""Store and forward: what arrives here is sent on to other nodes, as their rules say.

`rules` says what goes where, `queue` holds what each destination is still to get, `sending` empties the queues, one
thread for each destination. An object is queued in the transaction that moves the cursor over its `InstanceStored`, and
leaves its queue once the destination has acknowledged it: a crash in between sends it twice, which the destination knows
by its SOP Instance UID, and never loses it.
"""
