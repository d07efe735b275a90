"""Five kinds of error, each a sentence for the person who met it.

TelemedError
 +- Invalid        what was given is wrong: say what, where and what to do
 +- NotFound       it is not there, or not for this person to see
 +- Conflict       it has changed, or somebody else was first
 +- Refused        it is understood and not allowed
 +- Unavailable    not now: the disk, the database or a peer is away

Borders translate them once: `web.problems` into HTTP, `dicom_node.services.status` into DICOM.
"""


class TelemedError(Exception):
    """Never raised itself: raise one of the five kinds."""

    def __init__(self, sentence: str, *, code: str = "") -> None:
        """Keep the sentence for people and the short *code* for programs."""
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code


class Invalid(TelemedError):
    """What was given is wrong."""


class NotFound(TelemedError):
    """It is not there, or not for this person to see; the two look the same from outside."""


class Conflict(TelemedError):
    """It has changed since, or somebody else was first."""


class Refused(TelemedError):
    """It is understood and not allowed."""


class Unavailable(TelemedError):
    """It cannot be done now; trying again later may work."""
