"""The archive's tables, as the newest migration leaves them (`tests/schemas/archive` compares the two).

What a list filters by and shows stands in columns of `sessions`; what makes a session whole lies in compressed pieces beside it.
Moments are µs since 1970.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

from schemas.archive._reading import IS_CUT

METADATA = MetaData()

SESSIONS = Table(
    "sessions",
    METADATA,
    Column("session", Text, primary_key=True),
    Column("state", String(16), nullable=False),  # pending, coming, done, failed, deleting
    Column("attempts", Integer, nullable=False, default=0),  # the fence of who archives it: each try raises it
    Column("failures", Integer, nullable=False, default=0),
    Column("due_at", BigInteger, nullable=False, default=0),
    Column("error", Text, nullable=False, default=""),
    # as the log had it
    Column("partition", Integer, nullable=False, default=0),
    Column("seq", Integer, nullable=False, default=0),
    Column("at", BigInteger, nullable=False, default=0),
    Column("owner", Text, nullable=False, default=""),
    Column("epoch", Integer, nullable=False, default=1),
    Column("generation", Integer, nullable=False, default=0),
    # what is kept of it
    Column("archived_at", BigInteger, nullable=False, default=0),
    Column("verified_at", BigInteger, nullable=False, default=0),
    Column("hash", String(64), nullable=False, default=""),
    Column("format", Integer, nullable=False, default=0),
    Column("fold", Integer, nullable=False, default=0),
    Column("sounds", Integer, nullable=False, default=0),
    Column("missing", Integer, nullable=False, default=0),  # sounds that were gone before they could be kept
    Column("bytes", BigInteger, nullable=False, default=0),  # of events and folds
    Column("sound_bytes", BigInteger, nullable=False, default=0),
    # its summary
    Column("agent", Text, nullable=False, default=""),
    Column("room", Text, nullable=False, default=""),
    Column("transport", String(32), nullable=False, default=""),
    Column("gateway", Text, nullable=False, default=""),
    Column("people", Text, nullable=False, default="[]"),  # JSON
    Column("callers", Text, nullable=False, default=""),  # identities and names, a line each, without case
    Column("names", Text, nullable=False, default=""),  # every name in it, likewise
    Column("found", Text, nullable=False, default=""),  # the same, callers first, cut so that an index can hold it
    Column("started_at", BigInteger, nullable=False, default=0),
    Column("ended_at", BigInteger, nullable=False, default=0),
    Column("duration", Float, nullable=False, default=0.0),
    Column("turns", Integer, nullable=False, default=0),
    Column("interrupted", Integer, nullable=False, default=0),
    Column("restarts", Integer, nullable=False, default=0, server_default="0"),
    Column("failed", Integer, nullable=False, default=0),
    Column("cut_off", Integer, nullable=False, default=0),
    Column("unanswered", Integer, nullable=False, default=0),
    Column("troubles", Integer, nullable=False, default=0),
    Column("activity", String(16), nullable=False, default="ended"),
    Column("ended", Text, nullable=False, default=""),
    Column("last", Float),
    Column("median", Float),
    Column("worst", Float),
    Column("wrong", Boolean, nullable=False, default=False),
    Column("answers", LargeBinary, nullable=False, default=b""),
    # what a model said it was about
    Column("gist", Text, nullable=False, default="", server_default=""),
    Column("topics", Text, nullable=False, default="[]", server_default="[]"),  # JSON
    # what it brought
    Column("variant", Text, nullable=False, default="", server_default=""),
    Column("fields", Text, nullable=False, default="{}", server_default="{}"),  # JSON
    Column("result", Text, nullable=False, default="", server_default=""),  # JSON; "": none
    Column("result_error", Text, nullable=False, default="", server_default=""),
    Index("sessions_began", "state", "started_at", "session"),
    Index("sessions_by_agent", "state", "agent", "started_at", "session"),
    Index("sessions_wrong", "state", "wrong", "started_at", "session"),
    Index("sessions_named", "state", "started_at", "session", "found"),
    Index("sessions_cut", "state", "started_at", "session", sqlite_where=text(IS_CUT), postgresql_where=text(IS_CUT)),
    Index("sessions_active", "state", "at", "session"),
    Index("sessions_due", "state", "due_at"),
)

CHUNKS = Table(
    "chunks",
    METADATA,
    Column("session", Text, ForeignKey("sessions.session", ondelete="CASCADE"), primary_key=True),
    Column("first", Integer, primary_key=True),
    Column("last", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

SNAPSHOTS = Table(
    "snapshots",
    METADATA,
    Column("session", Text, ForeignKey("sessions.session", ondelete="CASCADE"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

SOUNDS = Table(
    "sounds",
    METADATA,
    Column("session", Text, ForeignKey("sessions.session", ondelete="CASCADE"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("place", Integer, nullable=False),  # in the order in which they were made
    Column("object", Text, nullable=False),  # "": it is gone
    Column("begins", BigInteger, nullable=False),
    Column("length", BigInteger, nullable=False),
    Column("codec", String(8), nullable=False),
    Column("rate", Integer, nullable=False),
    Column("samples", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),  # of what is stored
    Column("pcm", String(64), nullable=False),  # sha256 of the PCM it was made of
    Index("sounds_by_key", "key"),
)

FOLLOW_UPS = Table(
    "follow_ups",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("session", Text, ForeignKey("sessions.session", ondelete="CASCADE"), nullable=False),
    Column("kind", String(16), nullable=False),  # webhook, summary, recording, result, memory
    Column("about", String(32), nullable=False),  # of a webhook: which event it tells; else ""
    Column("state", String(16), nullable=False),  # pending, done, failed
    Column("attempts", Integer, nullable=False, default=0),  # the fence of who is at it: each try raises it
    Column("failures", Integer, nullable=False, default=0),
    Column("due_at", BigInteger, nullable=False),
    Column("held_until", BigInteger, nullable=False, default=0),  # whoever is at it has it until then
    Column("began_at", BigInteger, nullable=False),  # from when on it is tried, and again when somebody asks for it
    Column("done_at", BigInteger, nullable=False, default=0),
    Column("error", Text, nullable=False, default=""),
    Index("follow_ups_due", "state", "kind", "due_at"),
    Index("follow_ups_of", "session"),
)

RECORDINGS = Table(
    "recordings",
    METADATA,
    Column("session", Text, ForeignKey("sessions.session", ondelete="CASCADE"), primary_key=True),
    Column("object", Text, nullable=False),
    Column("codec", String(8), nullable=False),  # flac, opus
    Column("bytes", BigInteger, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("missing", Integer, nullable=False),  # sounds that were gone: silence in it
    Column("made_at", BigInteger, nullable=False),
)

MEMORIES = Table(
    "memories",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("agent", Text, nullable=False),
    Column("caller", Text, nullable=False),
    Column("folded", Text, nullable=False),  # the caller, without case
    Column("text", Text, nullable=False),
    Column("sessions", Integer, nullable=False),  # it was made of
    Column("session", Text, nullable=False),  # the last of them
    Column("number", Integer, nullable=False),  # how often it was written: whoever read an older one may not write
    Column("updated_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),  # 0: it stays
    Index("memories_of", "agent", "caller", unique=True),
    Index("memories_by_person", "folded"),
    Index("memories_old", "expires_at"),
)

LEASES = Table(
    "leases",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("owner", Text, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
)

ERASURES = Table(
    "erasures",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("kind", String(16), nullable=False),  # person, session, retention
    Column("asked_by", Text, nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("done_at", BigInteger, nullable=False),  # 0: not yet
    Column(
        "removed", Text, nullable=False
    ),  # JSON: of each session the sha256 of its id, its events' hash, how much it was
)
