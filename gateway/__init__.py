"""The media edge: it hears rooms, decides whose turn it is, writes that into the log, and plays what comes back."""
