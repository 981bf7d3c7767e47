"""Who may do what, and how it is shown: client tokens, LiveKit's tokens, by which hosts this machine is asked."""
