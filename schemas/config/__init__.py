"""What is configured: settings from the environment, agents from their files, and what is wrong with either, in a sentence."""
