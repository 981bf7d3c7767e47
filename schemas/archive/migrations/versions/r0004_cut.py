"""Sessions of so many names that the index holds a part of them only are found apart."""

import sqlalchemy as sa
from alembic import op

revision = "r0004"
down_revision = "r0003"
branch_labels = None
depends_on = None

_CUT = sa.text("substr(found, 1, 1) = '\x01'")


def upgrade() -> None:
    columns = ["state", "started_at", "session"]
    op.create_index("sessions_cut", "sessions", columns, sqlite_where=_CUT, postgresql_where=_CUT)
