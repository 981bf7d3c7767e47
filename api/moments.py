"""Times as the API tells them: ISO 8601, UTC, milliseconds."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import PlainSerializer

from schemas.clock import Micros

Moment = Annotated[
    datetime,
    PlainSerializer(lambda at: at.isoformat(timespec="milliseconds").replace("+00:00", "Z"), return_type=str),
]


def moment(at: Micros) -> datetime:
    """Of the log's time."""
    return datetime.fromtimestamp(at / 1e6, UTC)
