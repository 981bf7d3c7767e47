"""The file room: a recording for a caller."""
