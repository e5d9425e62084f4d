"""Measures the pairs of `regbench.conventions` and writes docs/conventions.md; takes three minutes and both extras.

`python scripts/conventions.py`
"""

import os
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from regbench.conventions import CAUSES, DECAYS, KNOWN_FAULTS, PAIRS, PORTS, DecayMeaning

PAGE = Path(__file__).resolve().parent.parent / "docs" / "conventions.md"
PACKAGES = ("keras", "tensorflow", "torch", "pytorch_optimizer", "optax", "jax")
RATES = {"Prodigy": 1.0}
"""By the first word of a title, the learning rate where it is not that of all."""

INTRODUCTION = """\
# What Keras, PyTorch and optax mean by the same name

Written by `scripts/conventions.py`, from measurements; edit the data in `regbench/conventions/`, not this page.

Two optimizers get the same noisy gradients of a quadratic function, each at its own weights, in float64, from the same
start, for 256 steps. A number is the largest difference of any weight at any step as a share of the largest distance
that a weight travels. `equal` is at most 1e-12; `rounded` what remains because Keras rounds its numbers (a momentum) to
float32. Muon is compared on the matrix alone, which is the same array in each and not the same layer. Optimizers are as
they come, their own decay too. One pair at a time:
`regbench check keras:Adam --against torch:Adam --set keras:Adam.epsilon=1e-8`.
"""

DECAY = """\
The decay of a candidate stands in `[decay]`; that of an optimizer is off. `l2` is added to the gradient, `decoupled` is
times the learning rate, `decoupled_constant` is not; [search_spaces](../search_spaces/README.md) has the words."""

PORTING = """\
From a setting of one framework to another: the number is carried over as "how" says. In brackets are defaults."""


def table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (heading, ["--"] * len(heading), *rows)]


def told(size: float, is_keras: bool, has_cause: bool) -> str:
    from regbench.contracts.against import KERAS_ROUNDING, ROUNDING

    if size <= ROUNDING:
        return "equal"
    return "rounded" if is_keras and not has_cause and size <= KERAS_ROUNDING else f"{size:.1e}"


def of_decay(one: DecayMeaning) -> list[str]:
    default = f"{one.default:g}" if one.default else "off"
    is_none = one.coupling == "none"
    return [f"`{one.name}`", *(("", "") if is_none else (f"`{one.argument}`", default)), one.coupling, one.note]


def measured() -> list[list[str]]:
    from regbench.contracts.against import RATE, compare

    rows = []
    for pair in PAIRS:
        reference = pair.names[-1]
        for name in pair.names[:-1]:
            found = compare(name, reference, pair.arguments, RATES.get(pair.title.split(",")[0], RATE))
            at_constant = [cause for cause in found.causes if not cause.only_under_schedules]
            numbers = [CAUSES.index(cause) + 1 for cause in found.causes]
            apart = [
                told(size, name.startswith("keras:"), bool(causes))
                for size, causes in ((found.constant, at_constant), (found.scheduled, found.causes))
            ]
            why = "" if set(apart) <= {"equal", "rounded"} else ", ".join(map(str, numbers)) or "not known"
            rows.append([pair.title, f"`{name}`", f"`{reference}`", *apart, why])
    return rows


def document(rows: Iterable[Sequence[str]], versions: str) -> str:
    """The page, from what was measured."""
    lines = [INTRODUCTION, f"Measured with {versions}.", ""]
    lines += table(["optimizer", "one", "other", "constant rate", "linear schedule", "cause"], rows)
    lines += ["", "## Causes", ""]
    lines += [f"{number}. {cause.what} ({cause.source})." for number, cause in enumerate(CAUSES, start=1)]
    lines += ["", "## `weight_decay`", "", DECAY, ""]
    lines += table(["optimizer", "argument", "default", "what it is", ""], map(of_decay, DECAYS))
    lines += ["", "## Port your hyperparameters", "", PORTING, ""]
    lines += table(
        ["optimizer", "Keras", "PyTorch", "optax", "how", "what cannot be carried over"],
        [[p.optimizer, p.keras, p.torch, p.optax, p.exactly or "the same number", p.not_carried] for p in PORTS],
    )
    lines += ["", "## Known faults", "", *(f"* {fault}." for fault in KNOWN_FAULTS.values()), ""]
    return "\n".join(lines)


def main() -> int:
    from regbench import guests

    guests.prepare("torch")
    from regbench.engine import environment

    environment.prepare()
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    PAGE.write_text(document(measured(), versions), encoding="utf-8")
    print(PAGE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
