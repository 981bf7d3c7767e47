"""Sessions, their events in pieces, folds, sounds; leases; proof of what was erased."""

import sqlalchemy as sa
from alembic import op

revision = "r0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sessions",
        sa.Column("session", sa.Text, primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("partition", sa.Integer, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("archived_at", sa.BigInteger, nullable=False),
        sa.Column("verified_at", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("format", sa.Integer, nullable=False),
        sa.Column("fold", sa.Integer, nullable=False),
        sa.Column("sounds", sa.Integer, nullable=False),
        sa.Column("missing", sa.Integer, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("sound_bytes", sa.BigInteger, nullable=False),
        sa.Column("agent", sa.Text, nullable=False),
        sa.Column("room", sa.Text, nullable=False),
        sa.Column("transport", sa.String(32), nullable=False),
        sa.Column("gateway", sa.Text, nullable=False),
        sa.Column("people", sa.Text, nullable=False),
        sa.Column("callers", sa.Text, nullable=False),
        sa.Column("names", sa.Text, nullable=False),
        sa.Column("found", sa.Text, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger, nullable=False),
        sa.Column("duration", sa.Float, nullable=False),
        sa.Column("turns", sa.Integer, nullable=False),
        sa.Column("interrupted", sa.Integer, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("cut_off", sa.Integer, nullable=False),
        sa.Column("unanswered", sa.Integer, nullable=False),
        sa.Column("troubles", sa.Integer, nullable=False),
        sa.Column("activity", sa.String(16), nullable=False),
        sa.Column("ended", sa.Text, nullable=False),
        sa.Column("last", sa.Float),
        sa.Column("median", sa.Float),
        sa.Column("worst", sa.Float),
        sa.Column("wrong", sa.Boolean, nullable=False),
        sa.Column("answers", sa.LargeBinary, nullable=False),
    )
    op.create_index("sessions_began", "sessions", ["state", "started_at", "session"])
    op.create_index("sessions_by_agent", "sessions", ["state", "agent", "started_at", "session"])
    op.create_index("sessions_wrong", "sessions", ["state", "wrong", "started_at", "session"])
    op.create_index("sessions_named", "sessions", ["state", "started_at", "session", "found"])
    op.create_index("sessions_active", "sessions", ["state", "at", "session"])
    op.create_index("sessions_due", "sessions", ["state", "due_at"])
    op.create_table(
        "chunks",
        sa.Column("session", sa.Text, sa.ForeignKey("sessions.session", ondelete="CASCADE"), primary_key=True),
        sa.Column("first", sa.Integer, primary_key=True),
        sa.Column("last", sa.Integer, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "snapshots",
        sa.Column("session", sa.Text, sa.ForeignKey("sessions.session", ondelete="CASCADE"), primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "sounds",
        sa.Column("session", sa.Text, sa.ForeignKey("sessions.session", ondelete="CASCADE"), primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("object", sa.Text, nullable=False),
        sa.Column("begins", sa.BigInteger, nullable=False),
        sa.Column("length", sa.BigInteger, nullable=False),
        sa.Column("codec", sa.String(8), nullable=False),
        sa.Column("rate", sa.Integer, nullable=False),
        sa.Column("samples", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("pcm", sa.String(64), nullable=False),
    )
    op.create_index("sounds_by_key", "sounds", ["key"])
    op.create_table(
        "leases",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("ends_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "erasures",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("asked_by", sa.Text, nullable=False),
        sa.Column("asked_at", sa.BigInteger, nullable=False),
        sa.Column("done_at", sa.BigInteger, nullable=False),
        sa.Column("removed", sa.Text, nullable=False),
    )
