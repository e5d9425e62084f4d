"""What a claim says, in words: the question it answers, the difference, and how sure it is."""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

from regbench.analysis.resolution import Resolution
from regbench.analysis.significance import Difference

Question = Literal["budget", "settings"]
QUESTIONS: tuple[Question, ...] = ("budget", "settings")

OVERSTATED = (
    "A difference that is claimed is on average larger than the true one: what came out small is not claimed "
    "(docs/claims.md has by how much)."
)


class Pair(NamedTuple):
    """Two entries of a problem, `better` the one with the better value.

    Args:
        problem, better, worse: names.
        difference: of the values, with its error; never negative.
        p: two-sided, without adjustment; NaN where there is no test.
        n_better: fresh seeds of the winner; `n_worse` likewise.
        apart: why there is no test; else empty.
        aside: what else must be told.
    """

    problem: str
    better: str
    worse: str
    difference: Difference
    p: float
    n_better: int
    n_worse: int
    apart: str
    aside: str


@dataclass(frozen=True)
class Spoken:
    """What the sentences of a problem have in common.

    Args:
        question: that they answer.
        problem: name.
        tests: for how many comparisons p values are adjusted.
        budget: in words, with how many trials each candidate is tuned.
        resolution: of the test set, where it is known and the metric is an accuracy.
        split: on which all was measured.
    """

    question: Question
    problem: str
    tests: int
    budget: str
    resolution: Resolution | None = None
    split: str = "test"

    def sentence(self, pair: Pair, interval: tuple[float, float], p: float, claimed: bool, visible: float) -> str:
        """One pair in words.

        Args:
            pair: the two entries.
            interval: of the difference.
            p: adjusted.
            claimed: whether the difference is claimed.
            visible: the difference that could have been seen.
        """
        better, worse = pair.better, pair.worse
        if self.question == "settings":
            better, worse = f"the setting found for {better}", f"the setting found for {worse}"
        if pair.apart:
            return f"{better} and {worse} are not compared on {self.problem}: {pair.apart}.{pair.aside}"
        digits = _decimals(*interval, claimed)
        value, low, high, least = (_rounded(number, digits) for number in (pair.difference.value, *interval, visible))
        adjusted = f", adjusted for {self.tests} comparisons" if self.tests > 1 else ""
        p_text = ("p < 0.0001" if p < 0.0001 else f"p = {p:.2g}") + adjusted
        if not claimed:
            seen = f"; {least} or more would have been seen" if math.isfinite(visible) else ""
            return (
                f"{better} and {worse} cannot be told apart on {self.problem} {self._when(pair)} "
                f"({value} [{low}, {high}], {p_text}{seen}).{pair.aside}"
            )
        images = f", {self.resolution.count(pair.difference.value)}" if self.resolution else ""
        found = f"by {value} [{low}, {high}]{images} on this {self.split} set {self._when(pair)} ({p_text})"
        return f"{better} beats {worse} on {self.problem} {found}.{pair.aside}"

    def _when(self, pair: Pair) -> str:
        if self.question == "budget":
            return self.budget
        if pair.n_better == pair.n_worse:
            return f"over {pair.n_better} fresh seeds each"
        return f"over {pair.n_better} and {pair.n_worse} fresh seeds"


def _rounded(number: float, digits: int) -> str:
    return f"{number:.{digits}f}" if digits >= 0 else f"{number:.2g}"


def _decimals(low: float, high: float, claimed: bool) -> int:
    """How many decimals show two digits of an interval's width; -1 where that would be too many to read.

    More where the lower end of what is claimed would be rounded to 0.
    """
    width = high - low
    if not (math.isfinite(width) and width > 0):
        return -1
    decimals = max(0, 1 - math.floor(math.log10(width)))
    while claimed and decimals <= 8 and float(f"{low:.{decimals}f}") <= 0:
        decimals += 1
    return decimals if decimals <= 8 and width < 1e8 else -1
