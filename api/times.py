"""Moments as the API tells them, and as it is asked for them."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator

from schemas.clock import Micros, iso

__all__ = ["Moment", "iso", "micros"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
"""In other zones years may end later than they can be told in UTC."""


def micros(moment: datetime | None) -> Micros:
    """Without a zone it is UTC; 0: none was given. What lies before or after all years is the first or last moment there is."""
    if moment is None:
        return Micros(0)
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return Micros(min(max(0, (moment - _EPOCH) // timedelta(microseconds=1)), _LAST))


def _written(value: Any) -> Any:
    if isinstance(value, str) and "-" not in value.strip()[1:]:
        raise ValueError("a date and a time are expected: 2026-03-01T12:00:00Z")
    return value


Moment = Annotated[datetime, BeforeValidator(_written)]
"""As somebody asks for it: a date and a time, no number of seconds."""
