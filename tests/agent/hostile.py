"""Candidates that lie about their results, or whose sources are hard to walk: each once brought the
host down, and with it every resume of a search that had met it."""

from __future__ import annotations

from tests.agent.candidates import DYNAMICS, PERCEPTION, RENDERING, changed

_STATES = """
import tools.types
_honest = tools.types.States.to_json
def _lie(self):
    said = _honest(self)
    {lie}
    return said
"""
_NOW = "tools.types.States.to_json = _lie\n"


def perceived(lie: str):
    """A candidate whose perception reports ``said`` (the JSON of its states) after ``lie``."""
    return changed(perception=PERCEPTION + _STATES.format(lie=lie) + _NOW)


def predicted(lie: str):
    """The same about the states that are predicted."""
    when = (
        "    frame = __import__('sys')._getframe()\n"
        "    while frame.f_back and frame.f_code.co_name != 'predict':\n"
        "        frame = frame.f_back\n"
        "    if frame.f_code.co_name == 'predict':\n"
        "        tools.types.States.to_json = _lie\n"
    )
    begin = "    yy, xx = np.mgrid[: shape[0]"
    source = _STATES.format(lie=lie) + RENDERING
    return changed(rendering=source.replace(begin, when + begin))


def fitted(lie: str):
    """The same about the fit (``said``: see tools.fitting.FitResult.to_json)."""
    source = (
        "import tools.fitting.result as _r\n_honest = _r.FitResult.to_json\ndef _lie(self):\n"
        f"    said = _honest(self)\n    {lie}\n    return said\n_r.FitResult.to_json = _lie\n"
    )
    return changed(dynamics=DYNAMICS + source)


def looking(constants: str):
    """A candidate whose scene has these constants."""
    return changed(
        perception=PERCEPTION.replace(
            "Scene(background)", f"Scene(background, constants={constants})"
        )
    )


CLAIMS = {
    "a whole number of 400 digits": perceived("said['values'][0][0] = 10**400"),
    "a whole number of 10,000 digits": perceived("said['values'][0][0] = 10**10000"),
    "infinite states": perceived("said['values'][0][0] = 1e999"),
    "states as text": perceived("said['values'][0][0] = '1.0'"),
    "a state that is a list": perceived("said['values'][0][0] = [1.0]"),
    "rows of different lengths": perceived("said['values'][0] = []"),
    "a column of 100,000 characters": perceived("said['columns'][0] = 'a' * 100000 + '.x'"),
    "a column twice": perceived("said['columns'][1] = said['columns'][0]"),
    "columns that are a number": perceived("said['columns'] = 7"),
    "a state too few": perceived("said['values'].pop()"),
    "noise of no size": perceived("said['noise'] = [0.0, 1.0]"),
    "a huge number in what is predicted": predicted("said['values'][0][0] = 10**400"),
    "no states at all": predicted("said.clear()"),
    "a clock of 400 digits": changed(
        dynamics=DYNAMICS + "_t = __import__('time')\n_n = [0]\ndef _clock():\n    _n[0] += 1\n"
        "    return 0 if _n[0] == 1 else 10**400 * _n[0]\n_t.perf_counter = _clock\n"
    ),
    "a huge loss": fitted("said['loss'] = 10**400"),
    "40,000 columns": fitted("said['columns'] = {f'a.b{n}': 1.0 for n in range(40000)}"),
    "100,000 parameters": fitted("said['values'] = {f'p{n}': 1.0 for n in range(100000)}"),
    "a name of 100,000 characters": fitted("said['params'][0]['name'] = 'a' * 100000"),
    "a name with a path in it": fitted("said['params'][0]['name'] = '../../x'"),
    "a parameter twice": fitted("said['params'] *= 2"),
    "low above high": fitted("said['params'][0]['low'] = said['params'][0]['high'] + 1"),
    "an error below 0": fitted("said['params'][0]['error'] = -1.0"),
    "an error that is a list": fitted("said['params'][0]['error'] = [1.0]"),
    "a status that is a list": fitted("said['status'] = ['converged']"),
    "a quantile too many": fitted("said['posterior'] = {'gravity': [1.0] * 4}"),
    "quantiles of 1e300": fitted("said['posterior'] = {'gravity': [1e300] * 3}"),
    "a huge claim": fitted("said['message'] = 'a' * (9 << 20)"),
    "constants 700 deep": looking(
        "{'ball': {'size': __import__('json').loads('[' * 700 + ']' * 700)}}"
    ),
    "100,000 constants": looking("{'ball': {f'c{n}': 1.0 for n in range(100000)}}"),
    "a constant of 100,000 characters": looking("{'ball': {'a' * 100000: 1.0}}"),
}
"""What becomes of these is known only when they have run."""

_MINUS = "-" * 1500 + "1"
SOURCES = {
    "a default that parses and cannot be written": changed(
        perception=PERCEPTION.replace("(frames, tools)", f"(frames, tools, extra, more={_MINUS})")
    ),
    "detections that parse and cannot be written": changed(
        perception=PERCEPTION + f"DETECTIONS = {_MINUS}\n"
    ),
    "a constant that parses and cannot be read": changed(rendering=RENDERING + f"X = {_MINUS}\n"),
    "a default of 4,816 digits": changed(
        perception=PERCEPTION.replace("(frames, tools)", f"(frames, tools, a, b=0x{'f' * 4000})")
    ),
    "blocks within blocks": changed(
        dynamics=DYNAMICS + "".join(" " * n + "if 1:\n" for n in range(99)) + " " * 99 + "pass\n"
    ),
    "brackets within brackets": changed(dynamics=DYNAMICS + "X = " + "(" * 5000),
    "a chain of calls": changed(dynamics=DYNAMICS + "X = f" + "()" * 3000),
    "a character that is none": changed(dynamics=DYNAMICS + "X = '\ud800'"),
    "a null character": changed(dynamics=DYNAMICS + "\0"),
}
"""Refused, or run, without being walked to the end of the stack."""
