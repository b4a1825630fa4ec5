"""Where untrusted source meets the tools: a warm server forks one locked child for every job.

Use::

    from sandbox import ArraySpec, Job, Limits, Sandbox

    with Sandbox(workers=2, mode="strict") as box:
        clip = box.share(frames)                    # one sealed memory file; free for every later
                                                    job
        job = Job("call", programs, inputs={"frames": clip}, payload={"function": "f"},
                  outputs={"picture": ArraySpec((64, 64, 3))}, limits=Limits(wall=5))
        outcome = box.run(job)                      # any thread may call; blocks until a server is
                                                    free
        outcomes = box.map([job, job])              # in parallel over the servers, order kept

``outcome.failure`` is set when the *candidate* failed, ``SandboxError`` is raised when the
*sandbox* failed twice, and ``ValueError`` when the call was wrong. Everything in ``outcome.claim``
and ``outcome.arrays`` is a claim of the child.

A **routine** is trusted code that runs in the locked child: a function ``routine(programs, inputs,
payload, outputs)`` registered in ``sandbox.routines.ROUTINES``. ``programs["dynamics"]`` is the
loaded module (its source is executed at first access), ``programs.function("dynamics", "step")``
one function of it, with a clear failure when it is missing. ``inputs`` are read-only arrays,
``outputs`` zero-filled arrays to write into, ``payload`` and the returned claim are JSON. Code that
belongs to a program runs under ``with stage("dynamics"):`` so that a failure names the guilty one::

    from sandbox.stage_tracker import stage

    def perceive(programs, inputs, payload, outputs):
        perceive = programs.function("perception", "perceive")
        with stage("perception"):
            states, scene = perceive(inputs["frames"], toolbox)
        return {"states": ...}

``Sandbox(mode="strict+")`` adds the second layers that this machine has, ``profile="threads"`` lets
JAX run; ``box.mode`` and ``box.layers`` say what is in force, ``sandbox.doctor.examine()`` finds
out what holds, and ``sandbox.determinism.run_twice`` whether a program gives the same answer twice.

How it is made, from the inside out: ``seccomp``, ``landlock``, ``namespaces``, ``cgroup``,
``limits`` (one barrier each, on ``kernel``), ``lockdown`` (which mode wants which, in what order),
``programs`` and ``child`` (one job), ``supervisor``, ``server`` and ``spawner`` (many jobs),
``host`` (the interface), ``protocol``, ``memory`` and ``wire`` (what crosses), ``verdict`` (what it
means).
"""

from sandbox.contract import ArraySpec, Job, Limits, Outcome, SandboxError
from sandbox.host import Sandbox

__all__ = ["ArraySpec", "Job", "Limits", "Outcome", "Sandbox", "SandboxError"]
