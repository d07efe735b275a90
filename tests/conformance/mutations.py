"""An association with bytes flipped, cut, doubled and moved."""

from __future__ import annotations

import random
import struct

from conformance.bad_files import identified
from conformance.raw_scu import (
    ASSOCIATE_RQ,
    COMMAND,
    CT_IMAGE,
    EXPLICIT,
    LAST,
    P_DATA,
    RELEASE_RQ,
    associate_rq,
    pdu,
    pdv,
    store_rq,
)

#: Lengths and numbers that somebody might not have thought of.
NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)


def recorded(chance: random.Random, calling: str = "LIANHUA") -> list[bytes]:
    """Return the PDUs of a modality that stores one object, under a UID of its own, in pieces, and goes."""
    uid = f"1.2.826.0.1.3680043.8.498.9.{chance.getrandbits(60)}"
    data = identified(uid, struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OW", 0, 3000) + chance.randbytes(3000))
    return [
        pdu(ASSOCIATE_RQ, associate_rq("TELEMED", calling, CT_IMAGE, EXPLICIT)),
        pdu(P_DATA, pdv(store_rq(CT_IMAGE, uid), COMMAND | LAST)),
        pdu(P_DATA, pdv(data[:1000], 0)),
        pdu(P_DATA, pdv(data[1000:2000], 0) + pdv(data[2000:], LAST)),
        pdu(RELEASE_RQ, bytes(4)),
    ]


def mutate(pdus: list[bytes], chance: random.Random) -> list[bytes]:
    """Return *pdus* after one to three accidents."""
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(pdus))
        one = bytearray(pdus[at])
        accident = chance.randrange(8)
        if accident == 0 and one:
            one[chance.randrange(len(one))] ^= 1 << chance.randrange(8)
        elif accident == 1:
            struct.pack_into(">I", one, 2, chance.choice(NUMBERS))  # the PDU's own length
        elif accident == 2 and len(one) > 12:
            place = chance.randrange(6, min(len(one) - 4, 200))
            struct.pack_into(chance.choice((">I", "<I")), one, place, chance.choice(NUMBERS))
        elif accident == 3:
            del one[chance.randrange(len(one)) :]
        elif accident == 4:
            pdus.insert(chance.randrange(len(pdus) + 1), bytes(one))
        elif accident == 5:
            other = chance.randrange(len(pdus))
            pdus[other], one = bytes(one), bytearray(pdus[other])
        elif accident == 6:
            one = one.replace(b"1.2.826", chance.choice((b"../../.", b"/tmp/hi", b"1.2\0826", b"\xff" * 7)))
        else:
            one[0] = chance.choice((0, 1, 2, 3, 4, 5, 6, 7, 8, 0x10, 0xFF))
        pdus[at] = bytes(one) or b"\0"
        if len(pdus[at]) < 6:
            return pdus
    return pdus
