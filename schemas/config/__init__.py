"""What is configured: settings from the environment and what follows from them, agents from their files, mistakes explained."""
