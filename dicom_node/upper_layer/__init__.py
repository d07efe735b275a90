"""The hot path of PS3.8: C-STORE straight from the socket into the ingest journal, in a few processes beside the main one.

`node` starts `processes`; each runs `reception`, which accepts connections, reads their A-ASSOCIATE-RQ within bounds and
asks the main process over `channel` what to do. There `negotiation` answers with pynetdicom's own PDUs: rejected,
accepted, or handed over, socket and all, to pynetdicom, which serves everything that is not plain storage. The data phase
(`receiving`, `messages`) knows C-STORE and C-ECHO and nothing else; these processes have no database and no decoder.
"""
