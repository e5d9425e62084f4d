"""How what is given to options and arguments is read."""

import re
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from regbench import catalog
from regbench.errors import DefinitionError
from regbench.records import Scalar

DEFAULT_TREE = Path("results")
_BARE_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]*")


def read_setting(assignments: Sequence[str]) -> dict[str, Scalar]:
    """The values of `--set key=value`, by key.

    A value is what TOML has for numbers, truth values and strings; a word needs no quotes, a number no leading 0.

    Raises:
        DefinitionError: an assignment is none, or a key stands twice.
    """
    setting: dict[str, Scalar] = {}
    for assignment in assignments:
        key, equals, text = (part.strip() for part in assignment.partition("="))
        if not (key and equals and text):
            raise DefinitionError(f"--set: must be key=value. Received: {assignment!r}")
        if key in setting:
            raise DefinitionError(f"--set: `{key}` must be given once. Received: {setting[key]!r} and {text!r}")
        setting[key] = _read_value(key, text)
    return setting


def _read_value(key: str, text: str) -> Scalar:
    try:
        value = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        value = {"value": _read_word(text)}
    found = value["value"]
    if value.keys() == {"value"} and isinstance(found, Scalar) and catalog.is_representable(found):
        return found
    raise DefinitionError(f"--set: `{key}` must be a number, true, false or a string. Received: {text!r}")


def _read_word(text: str) -> Scalar | None:
    if _BARE_WORD.fullmatch(text):
        return text
    try:
        return float(text)
    except ValueError:
        return None


def numbers(kind: type[int] | type[float]) -> Callable[..., tuple[float, ...]]:
    """What reads numbers of a kind that are divided by commas."""

    def read(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[float, ...]:
        try:
            return () if value is None else tuple(kind(part) for part in value.split(","))
        except ValueError as error:
            wanted = "whole numbers" if kind is int else "numbers"
            must = f"must be {wanted} divided by commas. Received: {value!r}"
            raise click.BadParameter(must, context, parameter) from error

    return read


def positive(context: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    """A number above 0."""
    if value is not None and not value > 0:
        raise click.BadParameter(f"must be positive. Received: {value:g}", context, parameter)
    return value


def names(context: click.Context, parameter: click.Parameter, value: Sequence[str]) -> list[str]:
    """Names that are given one by one or divided by commas, each once."""
    once = dict.fromkeys(name.strip() for text in value for name in text.split(",") if name.strip())
    if value and not once:
        raise click.BadParameter(f"must have a name. Received: {', '.join(map(repr, value))}", context, parameter)
    return list(once)


def trees(context: click.Context, parameter: click.Parameter, value: Sequence[str]) -> list[str]:
    """Folders that are given one by one or divided by commas; what exists is one folder, whatever is in its name."""
    found: list[str] = []
    for text in value:
        parts = [text] if _exists(text) else [part for part in text.split(",") if part.strip()]
        found += parts or [text]
    for tree in found:
        if _exists(tree) and not Path(tree).is_dir():
            raise click.BadParameter(f"must be a folder. Received: {tree!r}, a file", context, parameter)
    return found


def page(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """A file that can be written into a folder that is there: no folder is made of a misspelt path."""
    if value is not None and not _exists(str(Path(value).parent)):
        raise click.BadParameter(f"must be in a folder that exists. Received: {value!r}", context, parameter)
    return value


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except OSError:  # the name is too long, say
        return False


def trees_of(results: Sequence[str]) -> list[str]:
    """The trees that were named; else the default one, if there is more in it than what comes with regbench."""
    if results or not DEFAULT_TREE.is_dir():
        return list(results)
    own = any(entry.name not in ("bundled", "surfaces") for entry in DEFAULT_TREE.iterdir())
    return [str(DEFAULT_TREE)] if own else []
