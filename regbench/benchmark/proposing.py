"""What a candidate with an optimizer of the user's own may look like, as the text of a file that can be searched."""

import inspect
import json
import tempfile
from pathlib import Path
from typing import Any

from regbench import catalog
from regbench.benchmark.trying import check_candidate
from regbench.catalog import own_code
from regbench.errors import DefinitionError

_LOW, _HIGH = 1e-4, 1.0
_OF_KERAS = {
    *("name", "kwargs", "weight_decay", "clipnorm", "clipvalue", "global_clipnorm", "use_ema", "ema_momentum"),
    *("ema_overwrite_frequency", "loss_scale_factor", "gradient_accumulation_steps"),
}
"""Arguments that say nothing of an optimizer's step, or belong elsewhere."""


def propose_candidate(name: str, optimizer: str) -> str:
    """The text of a candidate's file: the learning rate is searched, other arguments are shown with their defaults.

    Args:
        name: of the candidate.
        optimizer: `module:Class`, or a name that candidates may have.

    Raises:
        DefinitionError: there is no such class, it needs a value that it has no default for, or it cannot be built.
    """
    from regbench.engine import environment

    environment.prepare()  # before own code loads Keras
    from regbench.engine import build

    own_code.load({optimizer} if ":" in optimizer else ())
    target = build.find_optimizer(optimizer)
    parameters = [
        one
        for key, one in inspect.signature(target).parameters.items()
        if key not in _OF_KERAS and one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)
    ]
    needed = [one.name for one in parameters if one.default is one.empty and one.name != "learning_rate"]
    if needed:
        raise DefinitionError(
            f"{optimizer}: must have defaults for all arguments but the learning rate; where it has none, write the "
            f"file yourself (search_spaces/README.md). Received: {', '.join(needed)} without one"
        )
    text = _text(name, optimizer, parameters)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.toml"
        path.write_text(text, encoding="utf-8")
        check_candidate(catalog.read_candidate(path))
    return text


def _text(name: str, optimizer: str, parameters: list[inspect.Parameter]) -> str:
    lines = [
        f"# {name}: written by `regbench new candidate`. Every key: search_spaces/README.md of regbench.",
        "",
        f"summary = {json.dumps(f'{optimizer}, its learning rate searched')}",
        'source  = "own"',
        "",
        "[optimizer]",
        f"name = {json.dumps(optimizer)}",
    ]
    for one in parameters:
        if one.name == "learning_rate":
            usual = one.default if _is_number(one.default) and _LOW <= one.default <= _HIGH else None
            default = "" if usual is None else f", default = {usual}"
            lines.append(f"learning_rate = {{ low = {_LOW}, high = {_HIGH}, log = true{default} }}  # searched")
        elif isinstance(one.default, bool | int | float | str):
            lines.append(f"# {one.name} = {json.dumps(one.default)}{_searched(one.default)}")
    return "\n".join(lines) + "\n"


def _searched(default: Any) -> str:
    """How a number between 0 and 1 is searched."""
    if not _is_number(default) or not 0 < default < 1:
        return ""
    return f"  # searched: {{ low = {default / 10:g}, high = {min(0.999, default * 10):g}, default = {default:g} }}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
