"""One file a command, or a family of commands; `ops.cli` is their table. Options and output; the work is done elsewhere."""
