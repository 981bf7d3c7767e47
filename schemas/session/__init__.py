"""A session's log, read: what it amounts to (the fold), what the LLM is told of it, how it is told to people. Pure but for `cache`."""
