"""Work that nobody waits for, by arq: the archive, retention, summaries, webhooks. It comes later; there is nothing here yet."""
