"""The one error of this package."""


class EcgError(ValueError):
    """A recording cannot be read or written; the message is one sentence saying what, where and what to do."""
