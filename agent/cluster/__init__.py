"""Work on other machines, by Dask: ``engine`` (the link, with its certificates), ``packed`` (files
and folders as bytes), ``box`` (sandbox jobs on workers, behind the interface of a sandbox on this
machine).

What is trusted: a worker runs our code, as this machine does. Dask's links are authenticated and
encrypted where the address is tls://. Dask pickles, but only what our own code made: a job's
sources, payload and claim travel as JSON bytes, arrays as bytes whose shapes the host had fixed, so
that nothing that a candidate wrote is ever unpickled, here or there. Every worker probes the
barriers of its own sandbox before the first job, and refuses jobs in a mode that does not hold.
"""
