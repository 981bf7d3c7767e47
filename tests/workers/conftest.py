"""The example of a stranger's package has tests of its own: `testing/test_example.py` runs them as a stranger would."""

collect_ignore = ["example_provider"]
