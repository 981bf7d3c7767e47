"""Sessions as the API tells them: rows that follow the log, one session whole, its sound, its words, streams of what changes."""
