"""One file a command; `ops.cli` is their table."""
