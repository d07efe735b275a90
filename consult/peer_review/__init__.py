"""Random peer review: a share of the signed reports is read once more by a colleague, so that a service learns from itself.

Which reports are drawn follows from a seed, the month and the report's id alone, so that anybody can draw them again. The
reviewer is not told who wrote a report until they have scored it, and never changes it: a miss that matters is taken back to
its author, who amends the report or says why not.
"""
