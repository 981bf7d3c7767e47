"""The room in memory, for tests and benchmarks."""
