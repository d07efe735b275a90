"""By what people and programs sign in: accounts, passwords, sessions, tokens, and which role may do what.

Who somebody *is* (name, roles, institution) belongs to consult.practitioners; an account only opens the door for them.
"""
