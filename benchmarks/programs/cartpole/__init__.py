"""A candidate written by hand; see `benchmarks.programs`."""
