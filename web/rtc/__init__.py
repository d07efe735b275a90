"""Media of a round: aiortc carries it, packets are passed on as they came, nothing is decoded.

Who may be in a round, and what becomes of it, is decided in `consult.rounds`; here sound and pictures only travel.
The relay stands on internals of aiortc 1.16 (see relay.py); `tests/web/test_rtc_relay.py` fails when they move.
"""
