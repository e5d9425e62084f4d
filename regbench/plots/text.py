"""Names as figures can show them. A name comes from a file: whatever is in it is text, never markup."""

from collections.abc import Iterable
from functools import cache

from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.textpath import text_to_path

FONT = "DejaVu Sans"  # comes with matplotlib
MISSING = "□"


@cache
def _characters() -> frozenset[str]:
    return frozenset(chr(code) for code in get_font(findfont(FontProperties(family=FONT))).get_charmap())


def plain(text: str) -> str:
    """The text with a box for each control character and each one that the font does not have."""
    known = _characters()
    return "".join(one if one.isprintable() and one in known else MISSING for one in text).strip() or MISSING


def shortened(text: str, limit: int) -> str:
    """The text, its middle left out where it is wider than `limit` digits: both ends tell names apart."""
    widest = inches("0" * limit, 10)
    for length in range(min(len(text), limit), 0, -1):
        tail = (length - 1) // 2
        fitting = text if length == len(text) else f"{text[: length - 1 - tail]}…{text[len(text) - tail :]}"
        if inches(fitting, 10) <= widest:
            return fitting
    return "…"


def shown(names: Iterable[str], limit: int = 60) -> dict[str, str]:
    """A text for each name that figures show: plain, short, and different for different names."""
    texts: dict[str, str] = {}
    taken: set[str] = set()
    for name in dict.fromkeys(names):
        text, number = shortened(plain(name), limit), 1
        while text in taken:
            number += 1
            mark = f" #{number}"
            text = shortened(plain(name), limit - len(mark)) + mark
        taken.add(text)
        texts[name] = text
    return texts


def in_lines(text: str, limit: int) -> str:
    """A text that `shown` has shortened to twice the limit, on two lines if it is wider than the limit."""
    if shortened(text, limit) == text:
        return text
    middle = len(text) / 2
    place = round(middle)
    for sign in (" ", "_"):
        breaks = [at for at, one in enumerate(text) if one == sign and abs(at - middle) <= len(text) / 5]
        if breaks:
            place = min(breaks, key=lambda at: abs(at - middle))
            break
    return f"{shortened(text[:place].rstrip(), limit)}\n{shortened(text[place:].lstrip(), limit)}"


def inches(text: str, points: float) -> float:
    """How wide a text of that font size is drawn."""
    width, _, _ = text_to_path.get_text_width_height_descent(text, FontProperties(family=FONT, size=points), False)
    return float(width) / 72
