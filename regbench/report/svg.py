"""Drawings made small: an SVG of matplotlib as an element of an HTML page, a third as long and looking the same."""

import re
from collections import Counter
from collections.abc import Iterator
from html import escape
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import numpy as np

DECIMALS = 2
LONG_PATH = 40
"""Lines of more points than this are curves of data: a tenth of a point is enough for them."""

TOLERANCE = 0.15
"""How far, in points, a curve may be moved where a vertex is left out: a fifth of a pixel."""

Step = tuple[str, list[tuple[float, float]]]
"""A command of a path with its points."""

_NUMBERS = ("x", "y", "width", "height", "transform", "viewBox")
_NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
_PATH = re.compile(r"[A-Za-z]|-?\d*\.?\d+(?:e-?\d+)?")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_NO_TURN = re.compile(r"\s*rotate\(-?0 [^)]*\)")
_TEXTS = ("text", "tspan", "title")
_FONT = re.compile(r"font-family:[^;]*;? ?")


def smaller(text: str, name: str) -> str:
    """A drawing of `plots.style.inline_svg`, made smaller.

    What an HTML page does not need goes: metadata, names of groups, groups without attributes, namespaces, the font
    family and the style sheet (it would hold for the whole page; the page's own has what it says). Styles become
    classes. Coordinates are rounded, those of paths relative.

    Args:
        text: the `<svg>` element.
        name: what identifiers and classes begin with.
    """
    root = ElementTree.fromstring(text)  # noqa: S314 - we drew it
    _strip(root)
    names = _names(root, name)
    classes = _classes(root, name, names)
    for element in root.iter():
        _rewrite(element, classes, names)
    rules = "".join(f".{short}{{{style}}}" for style, short in classes.items())
    return "".join(_written(root, f"<style>{rules}</style>" if rules else ""))


def _strip(parent: Element) -> None:
    kept: list[Element] = []
    for child in parent:
        _strip(child)
        tag = _local(child.tag)
        if tag == "g":
            child.attrib.pop("id", None)
        if tag in ("metadata", "style") or (tag in ("g", "defs") and not len(child)):
            continue
        kept += list(child) if tag == "g" and not child.attrib else [child]
    parent[:] = kept


def _classes(root: Element, name: str, names: dict[str, str]) -> dict[str, str]:
    """A class for each style, the most common one the shortest."""
    styles: Counter[str] = Counter()
    for element in root.iter():
        if style := _renamed(_FONT.sub("", element.get("style", "")), names):
            element.set("style", style)
            styles[style] += 1
        else:
            element.attrib.pop("style", None)
    return {style: f"{name}c{index}" for index, (style, _) in enumerate(styles.most_common())}


def _names(root: Element, name: str) -> dict[str, str]:
    """A short name for each identifier."""
    found: dict[str, str] = {}
    for element in root.iter():
        if identifier := element.get("id"):
            found[identifier] = f"{name}i{len(found)}"
    return found


def _rewrite(element: Element, classes: dict[str, str], names: dict[str, str]) -> None:
    attributes: dict[str, str] = {}
    for key, value in element.attrib.items():
        key = _local(key)
        if key == "style":
            key, value = "class", classes[value]
        elif key == "id":
            value = names[value]
        elif key == "href" and value.startswith("#"):
            value = f"#{names[value[1:]]}"
        elif key == "d":
            value = short_path(value)
        elif key in _NUMBERS and "scale" not in value and "matrix" not in value:
            value = _NUMBER.sub(lambda found: _shown(float(found.group()), DECIMALS), _NO_TURN.sub("", value))
        attributes[key] = _renamed(value, names)
    attributes = {key: value for key, value in attributes.items() if value and key != "version"}
    element.attrib.clear()
    element.attrib.update(attributes)


def _renamed(value: str, names: dict[str, str]) -> str:
    """A value in which references have the short identifiers."""
    return _REFERENCE.sub(lambda found: f"url(#{names[found.group(1)]})", value)


def short_path(path: str) -> str:
    """A path of absolute points as one of relative points, rounded."""
    steps = list(_steps(_PATH.findall(path)))
    is_curve = len(steps) > LONG_PATH and all(command in "MLZz" for command, _ in steps)
    steps, decimals = (_thinned(steps), 1) if is_curve else (steps, DECIMALS)
    parts: list[str] = []
    before = ""
    start = at = (0.0, 0.0)
    for command, exact in steps:
        points = [(round(x, decimals), round(y, decimals)) for x, y in exact]
        if not points:
            parts.append("z")
            at = start
        else:
            # Points that follow a move or a line without a letter are lines.
            parts += [] if command == "L" and before in ("M", "L") else [command.lower()]
            parts += [_shown(end - begin, decimals) for point in points for begin, end in zip(at, point, strict=True)]
            at = points[-1]
            start = at if command == "M" else start
        before = command
    return _joined(parts)


def _steps(tokens: list[str]) -> Iterator[Step]:
    letters = [place for place, token in enumerate(tokens) if token.isalpha()]
    for place, end in zip(letters, [*letters[1:], len(tokens)], strict=True):
        numbers = [float(token) for token in tokens[place + 1 : end]]
        yield tokens[place], list(zip(numbers[::2], numbers[1::2], strict=True))


def _thinned(steps: list[Step]) -> list[Step]:
    """The lines without points that lie on them anyway; each piece between moves by itself."""
    ends = [place for place, (command, _) in enumerate(steps) if command != "L"]
    kept: list[Step] = []
    for start, end in zip([0, *ends], [*ends, len(steps)], strict=True):
        piece = steps[start:end]
        # A move begins its piece; after a closed one there are no lines.
        points = np.array([point for _, found in piece for point in found], dtype=float).reshape(-1, 2)
        kept += [step for step, keep in zip(piece, _needed(points), strict=True) if keep] if len(points) else piece
    return kept


def _needed(points: np.ndarray) -> np.ndarray:
    """Which points of a line are needed (Douglas and Peucker 1973)."""
    needed = np.zeros(len(points), dtype=bool)
    needed[[0, -1]] = True
    pieces = [(0, len(points) - 1)]
    while pieces:
        first, last = pieces.pop()
        if last - first < 2:
            continue
        along, inner = points[last] - points[first], points[first + 1 : last] - points[first]
        nearest = np.clip(inner @ along / max(along @ along, 1e-12), 0, 1)[:, None] * along
        distances = np.hypot(*(inner - nearest).T)
        farthest = int(distances.argmax())
        if distances[farthest] > TOLERANCE:
            middle = first + 1 + farthest
            needed[middle] = True
            pieces += [(first, middle), (middle, last)]
    return needed


def _joined(parts: list[str]) -> str:
    """Commands and numbers, with a space where two numbers would run together."""
    text = "".join(part if part[0].isalpha() or part[0] == "-" else f" {part}" for part in parts)
    return re.sub(r"(?<=[a-z]) ", "", text)


def _shown(number: float, decimals: int) -> str:
    text = f"{number:.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else re.sub(r"^(-?)0\.", r"\1.", text)


def _local(name: str) -> str:
    """A name without its namespace."""
    return name.rpartition("}")[2]


def _written(element: Element, first: str = "") -> Iterator[str]:
    """The element as text; `first` becomes its first child."""
    tag = _local(element.tag)
    yield "<" + tag + "".join(f' {key}="{escape(value)}"' for key, value in element.attrib.items())
    inside = escape(element.text or "", quote=False) if tag in _TEXTS else ""
    if not (len(element) or inside or first):
        yield "/>"
        return
    yield f">{first}{inside}"
    for child in element:
        yield from _written(child)
        if tag in _TEXTS and child.tail:
            yield escape(child.tail, quote=False)
    yield f"</{tag}>" if tag in _TEXTS else f"</{tag}>\n"
