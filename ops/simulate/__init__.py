"""Agents tested like code: callers by a script, or played by a model, hold real conversations with them, and what came of it is
checked. What a test imports of it is a fixture (`pytest_plugin`); a scenario is a file (`scenario`)."""
