"""Who may do what, and how it is shown: client tokens, tickets, LiveKit's tokens."""
