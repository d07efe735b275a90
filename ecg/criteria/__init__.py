"""Criteria of single statements, by what they are about; each module offers its table ``RULES``.

A criterion is named in its evidence or docstring by those who published it. All limits are for adults unless they say otherwise.
"""
