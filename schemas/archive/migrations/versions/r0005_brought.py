"""What a session brought (variant, fields, result), and what is remembered of callers."""

import sqlalchemy as sa
from alembic import op

revision = "r0005"
down_revision = "r0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, default in (("variant", ""), ("fields", "{}"), ("result", ""), ("result_error", "")):
        op.add_column("sessions", sa.Column(name, sa.Text, nullable=False, server_default=default))
    op.create_table(
        "memories",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("agent", sa.Text, nullable=False),
        sa.Column("caller", sa.Text, nullable=False),
        sa.Column("folded", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("sessions", sa.Integer, nullable=False),
        sa.Column("session", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    op.create_index("memories_of", "memories", ["agent", "caller"], unique=True)
    op.create_index("memories_by_person", "memories", ["folded"])
    op.create_index("memories_old", "memories", ["expires_at"])
