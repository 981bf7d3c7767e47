"""Everything of Antiphon on one machine: its processes, kept alive, and the servers that come with it."""
