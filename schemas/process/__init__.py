"""What every process does alike: its health page, its log lines, how it is asked for by name."""
