"""Many searches: clips x seeds x settings, one run folder each and one table, in reading order:
``cases`` (what there is to do), ``work`` (one case, in a process of its own), ``engine`` (who works
where), ``table`` (what came of it), ``sweep`` (all of it, from where it was).
"""
