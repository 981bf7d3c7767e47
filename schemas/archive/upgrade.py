"""The archive's tables brought up to date, by Alembic and the steps in `migrations`."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy.engine import Connection

__all__ = ["bring_up_to_date"]

_STEPS = Path(__file__).with_name("migrations")


def bring_up_to_date(connection: Connection, to: str = "head") -> None:
    """Within the transaction that `connection` is in; `to`: a step, and those before it."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_STEPS).replace("%", "%%"))
    command.upgrade(config, to)
