"""A session, read from its log: what it amounts to, what the LLM is told of it, how people are told.
Pure but for `cache`, `history` and `export`, which read a log."""
