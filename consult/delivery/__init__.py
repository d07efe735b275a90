"""From signed to read: T5 when the news is on the clinic's screen, T6 when a named person there has opened the report.

The first true stamp wins and is never moved.
A version that replaces one is a report of its own and is acknowledged again; a cancelled one stamps no clock.
"""
