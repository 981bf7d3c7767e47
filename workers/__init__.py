"""The stages: pools of workers that take jobs from the log and commit what came of them."""
