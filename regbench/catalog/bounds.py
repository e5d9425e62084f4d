"""What values can mean: what goes together in a problem, and bounds by name for the classes of Keras and regbench.

Keras takes a learning rate of -1 or a beta of 1.5 as it comes. A class of one's own (`module:Class`) may give a name
another meaning: it is judged by what it raises when it is built.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeGuard

from regbench.records import Argument, Candidate, Choices, Part, Problem, Range, Scalar, facts_of


@dataclass(frozen=True)
class Bound:
    """An interval of numbers, open below unless `holds_low`, and open above.

    Attributes:
        must: what is said of a number outside of it.
    """

    must: str
    low: float = 0.0
    high: float = float("inf")
    holds_low: bool = True

    def holds(self, number: float) -> bool:
        """Whether a number is inside."""
        return (self.low < number or (self.holds_low and self.low == number)) and number < self.high


_POSITIVE = Bound("must be positive", holds_low=False)
_NOT_NEGATIVE = Bound("must not be negative")
_SHARE = Bound("must be in [0, 1)", high=1.0)

BOUNDS = {
    **dict.fromkeys(
        ("learning_rate", "final_learning_rate", "adam_lr_ratio", "clipnorm", "clipvalue", "global_clipnorm"), _POSITIVE
    ),
    **dict.fromkeys(("momentum", "beta_1", "beta_2", "adam_beta_1", "adam_beta_2", "rho", "ema_momentum"), _SHARE),
    **dict.fromkeys(
        (
            *("epsilon", "factor", "strength", "beta", "initial_accumulator_value", "rms_rate", "l1", "l2"),
            *("l1_regularization_strength", "l2_regularization_strength", "l2_shrinkage_regularization_strength"),
        ),
        _NOT_NEGATIVE,
    ),
}
"""By the name of an argument."""


def violations(candidate: Candidate) -> list[str]:
    """What of a candidate's values, and of those that may be drawn for it, has no meaning: a sentence each."""
    parts = {"optimizer": candidate.optimizer, "regularizer": candidate.regularizer}
    return [wrong for key, part in parts.items() if part is not None for wrong in _of_part(key, part)]


def contradictions(problem: Problem) -> list[str]:
    """What of a problem does not go together: a sentence each."""
    facts = facts_of(problem.metric)
    if facts is None:  # a function of the user's own
        return []
    found = []
    if problem.goal != facts.goal:
        found.append(f"goal: must be {facts.goal} where the metric is {problem.metric}. Received: {problem.goal!r}")
    for name in ("chance", "convergence", "optimum"):
        score = getattr(problem, name)
        if score is not None and not facts.low <= score <= facts.high:
            must = f"in [{facts.low:g}, {facts.high:g}]" if facts.high < math.inf else f"at least {facts.low:g}"
            found.append(f"{name}: must be {must} where the metric is {problem.metric}. Received: {score!r}")
    return found


def _of_part(key: str, part: Part) -> Iterator[str]:
    for name, argument in part.arguments.items():
        if isinstance(argument, Part):
            yield from _of_part(f"{key}.{name}", argument)
        elif name in BOUNDS and ":" not in part.name:
            bound = BOUNDS[name]
            outside = [came for number, came in _numbers(argument) if not bound.holds(number)]
            if outside:
                yield f"{key}.{name}: {bound.must}. Received: {', '.join(outside)}"


def _numbers(argument: Argument) -> list[tuple[float, str]]:
    """The numbers that an argument may be, for a range those at its ends, each with how it is told."""
    match argument:
        case Range():
            low, high = argument.extremes()
            told = [(low, f"a range from {low}"), (high, f"a range to {high}")]
            return told + ([] if argument.default is None else [(argument.default, f"default={argument.default}")])
        case Choices():
            return [(choice, str(choice)) for choice in argument.choices if _is_number(choice)]
        case int() | float() if _is_number(argument):
            return [(argument, str(argument))]
    return []


def _is_number(argument: Scalar) -> TypeGuard[float]:
    return isinstance(argument, int | float) and not isinstance(argument, bool)
