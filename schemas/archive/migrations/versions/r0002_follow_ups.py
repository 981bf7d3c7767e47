"""What follows once a session is archived: webhooks, summaries, recordings."""

import sqlalchemy as sa
from alembic import op

revision = "r0002"
down_revision = "r0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("gist", sa.Text, nullable=False, server_default=""))
    op.add_column("sessions", sa.Column("topics", sa.Text, nullable=False, server_default="[]"))
    op.create_table(
        "follow_ups",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("session", sa.Text, sa.ForeignKey("sessions.session", ondelete="CASCADE"), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("about", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("held_until", sa.BigInteger, nullable=False),
        sa.Column("began_at", sa.BigInteger, nullable=False),
        sa.Column("done_at", sa.BigInteger, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
    )
    op.create_index("follow_ups_due", "follow_ups", ["state", "kind", "due_at"])
    op.create_index("follow_ups_of", "follow_ups", ["session"])
    op.create_table(
        "recordings",
        sa.Column("session", sa.Text, sa.ForeignKey("sessions.session", ondelete="CASCADE"), primary_key=True),
        sa.Column("object", sa.Text, nullable=False),
        sa.Column("codec", sa.String(8), nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("missing", sa.Integer, nullable=False),
        sa.Column("made_at", sa.BigInteger, nullable=False),
    )
