"""Running a suite: cases in parallel, a ledger that survives a kill, results that can be compared
and tabled."""
