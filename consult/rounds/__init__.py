"""The round: several people look at one study together, talk, and part; who may be in it and whose picture leads.

Sound and pictures are carried by `web.rtc`; nothing here knows how.
"""
