"""Two sessions compared: where they part, turn by turn, word by word.

found = differences(await told(log, "a"), await told(log, "b"))
found.divergence        # the first pair of turns that differ in more than time; None: there is none
"""

from schemas.session.comparing._diff import (
    PARTING,
    Compared,
    Diff,
    Difference,
    Pair,
    Session,
    Setting,
    Stretch,
    Told,
    compared,
    differences,
    told,
)

__all__ = [
    "PARTING",
    "Compared",
    "Diff",
    "Difference",
    "Pair",
    "Session",
    "Setting",
    "Stretch",
    "Told",
    "compared",
    "differences",
    "told",
]
