"""Who takes part: institutions, their people and roles, the agreements between them, and the AEs that are theirs.

Passwords and sessions are not here: an account of the web points to a practitioner, never the other way.
"""
