"""What every process agrees on: events, the fold, the agent spec, the codec, the log."""
