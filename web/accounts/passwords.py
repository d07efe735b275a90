"""Passwords, kept as argon2id hashes and compared without telling which part was wrong."""

from __future__ import annotations

import threading

from argon2 import Parameters, PasswordHasher, profiles
from argon2.exceptions import InvalidHashError, VerificationError

from telemed.kernel.errors import Invalid

#: RFC 9106 section 4, second recommended option: 3 passes over 64 MiB in 4 lanes.
RFC_9106 = profiles.RFC_9106_LOW_MEMORY
#: How many are hashed at once: 64 MiB and a core each, on machines with two.
AT_ONCE = 2
#: NIST SP 800-63B, 3.1.1.2: at least 8, at least 64 allowed; the upper bound keeps a stranger from hashing megabytes.
SHORTEST, LONGEST = 8, 256


class Passwords:
    """Hashes and checks; slow on purpose, so call it off the event loop."""

    def __init__(self, parameters: Parameters = RFC_9106) -> None:
        """Hash with *parameters*."""
        self._hasher = PasswordHasher.from_parameters(parameters)
        self._places = threading.BoundedSemaphore(AT_ONCE)
        self._nobody = self._hasher.hash("an account that is not there")

    def hashed(self, password: str) -> str:
        """Return *password* as it may be kept.

        Raises
        ------
        Invalid
            when it is too short or too long.
        """
        if not SHORTEST <= len(password) <= LONGEST:
            raise Invalid(f"a password needs {SHORTEST} to {LONGEST} characters", code="password-length")
        with self._places:
            return self._hasher.hash(password)

    def verify(self, kept: str | None, password: str) -> bool:
        """Tell whether *password* is the one *kept*; an account that is not there takes as long as one that is."""
        if len(password) > LONGEST:
            return False
        with self._places:
            try:
                self._hasher.verify(kept or self._nobody, password)
            except (VerificationError, InvalidHashError):
                return False
        return kept is not None

    def is_outdated(self, kept: str) -> bool:
        """Tell whether *kept* was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(kept)
