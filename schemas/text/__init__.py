"""Text: what strangers send made fit, cut into sentences, and how an utterance ends by its words. Pure."""
