"""How many turns of a session were taken back."""

import sqlalchemy as sa
from alembic import op

revision = "r0003"
down_revision = "r0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("restarts", sa.Integer, nullable=False, server_default="0"))
