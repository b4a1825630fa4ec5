"""Numbers and counts as a person writes them, and the files that a page is made of."""

from __future__ import annotations

import base64
import hashlib
import math
from importlib.resources import files

_MINUS = "\N{MINUS SIGN}"


def number(value: float | None, digits: int = 4) -> str:
    """``digits`` significant digits, no exponent where that is short; a dash for nothing.

    >>> number(-0.00123456), number(12345.6), number(None)
    ('\N{MINUS SIGN}0.001235', '12346', '\N{EN DASH}')
    """
    if value is None or not math.isfinite(value):
        return "\N{EN DASH}"
    if value and 10**digits <= abs(value) < 1e7:
        return f"{value:.0f}".replace("-", _MINUS)
    return f"{value:.{digits}g}".replace("-", _MINUS)


def measured(value: float, error: float | None) -> str:
    """A value to as many digits as its error allows.

    >>> measured(1021.87, 502.0), measured(-6.82155, 0.042), measured(3.14159, None)
    ('1020 ± 500', '\N{MINUS SIGN}6.822 ± 0.042', '3.142')
    """
    if error is None or not 1e-9 < error < 1e7 or abs(value) >= 1e7:
        return number(value) + ("" if error is None else f" ± {number(error, 2)}")
    places = 1 - math.floor(math.log10(error))
    value, error = round(value, places), round(error, places)
    return f"{value:.{max(places, 0)}f} ± {error:.{max(places, 0)}f}".replace("-", _MINUS)


def score(value: float) -> str:
    """Three decimals, more where they would hide that it is not quite 1.

    >>> score(0.8629), score(0.99968), score(1.0)
    ('0.863', '0.9996', '1')
    """
    if value >= 1.0:
        return "1"
    return f"{value:.3f}" if value < 0.9995 else f"{math.floor(1e4 * value) / 1e4:.4f}"


def count(amount: int, noun: str, plural: str = "") -> str:
    """
    >>> count(1, "frame"), count(12000, "frame")
    ('1 frame', '12,000 frames')
    """
    return f"{amount:,} {noun if amount == 1 else plural or noun + 's'}"


def duration(seconds: float) -> str:
    """
    Spaces inside do not break.

    >>> [duration(s).replace("\N{NO-BREAK SPACE}", " ") for s in (0.034, 9.26, 195, 7400)]
    ['34 ms', '9.3 s', '3 min 15 s', '2 h 3 min']
    """
    minutes, rest = divmod(round(seconds), 60)
    if seconds < 0.9995:
        text = f"{1000 * seconds:.0f} ms"
    elif seconds < 59.5:
        text = f"{seconds:.2g} s" if seconds < 9.95 else f"{seconds:.0f} s"
    else:
        text = (
            f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
        )
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def unit(text: str) -> str:
    """A unit as it is printed; pure numbers have none.

    >>> unit("px/s^2"), unit("1")
    ('px/s²', '')
    """
    return "" if text == "1" else text.replace("^2", "²").replace("^3", "³")


def listed(items: list[str], most: int = 6) -> str:
    """
    >>> listed(["1", "2", "3"]), listed(list("abcdefgh"), 2)
    ('1, 2 and 3', 'a, b and 6 more')
    """
    if len(items) > most:
        return f"{', '.join(items[:most])} and {len(items) - most} more"
    return (
        items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""
    )


def sentence(text: str) -> str:
    """First letter large unless a name begins there, a full stop at the end.

    >>> sentence("damping would slow it"), sentence("tan_box.y goes 1 -> 2"), sentence("Done.")
    ('Damping would slow it.', 'tan_box.y goes 1 → 2.', 'Done.')
    """
    text = " ".join(text.split()).replace(" -> ", " → ")
    if not text:
        return ""
    name = any(c in "._(" for c in text.split(" ")[0].rstrip(".:;,"))
    return (text[0] if name else text[0].upper()) + text[1:] + ("" if text[-1] in ".!?" else ".")


def shortened(text: str, most: int) -> str:
    """One line of at most ``most`` characters."""
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"


def own_file(name: str) -> str:
    """Text of a file beside this one: a page, its style, its script."""
    return (files(__package__) / name).read_text(encoding="utf-8")


def integrity(script: str) -> str:
    """The source expression of a content security policy that allows exactly this script."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"
