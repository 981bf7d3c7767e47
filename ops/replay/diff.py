"""Where two sessions part: as `schemas/session/comparing` tells it, which the API does, too."""

from schemas.session.comparing import (
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
