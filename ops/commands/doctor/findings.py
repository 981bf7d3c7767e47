"""What `antiphon doctor` finds, a line each."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """`advice`: what to do, "" when all is well."""

    check: str
    result: Literal["ok", "warn", "bad"]
    found: str
    advice: str = ""
