"""What every process does alike: its health page, its log lines, what follows from its lease."""
