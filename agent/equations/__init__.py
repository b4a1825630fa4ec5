"""The mechanism of a program as equations of motion, in reading order: ``jet`` (numbers to first
order in the length of a frame), ``meanings`` (what the tools do to them), ``tracing`` (the
program's own text, read with them), ``system`` (what comes out: rates, impacts, places),
``integrate`` (SciPy on nothing but that), ``invariants`` (what is conserved), ``card`` (the page).

Why the program's text and not the grammar's record of the mechanism: it works for every program,
also for those that a model or a person wrote, and it cannot tell another story than what runs. A
step over a frame of vanishing length says it all: what it does at once (order 0) are impacts, what
it does per second (order 1) is the equation of motion. Nothing of a program is executed here.
"""
