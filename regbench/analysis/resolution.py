"""The size of a test set, and the smallest difference of an accuracy that it can show."""

from dataclasses import dataclass

import pandas as pd

from regbench import catalog, datasets
from regbench.errors import RegbenchError
from regbench.records import OwnData


@dataclass(frozen=True)
class Resolution:
    """How finely a test set tells accuracies apart.

    Args:
        samples: how many a run was tested on.
        unit: what one of them is called ("image" or "sample").
    """

    samples: int
    unit: str

    @property
    def step(self) -> float:
        """The smallest difference between two accuracies, as a share."""
        return 1 / self.samples

    def count(self, difference: float) -> str:
        """A difference between accuracies in samples ("3.5 images"); halves and so on come from means over seeds."""
        samples = abs(difference) * self.samples
        text = f"{samples:.2g}" if samples < 100 else f"{samples:.0f}"
        return f"{text} {self.unit}{'' if text == '1' else 's'}"


def resolution(problem: str, protocol: str, batch_size: int) -> Resolution | None:
    """The test set of a problem as the protocol evaluates it; None where its size is not known.

    It is known of problems in the catalog that use all samples of a data set whose size is fixed. `deepobs` drops the
    last batch where that is incomplete.
    """
    try:
        definition, rules = catalog.problem(problem), catalog.protocol(protocol)
        dataset = datasets.get(definition.dataset)
    except RegbenchError:
        return None
    if definition.selection is not None:
        return None
    is_whole = rules.every_sample or isinstance(definition.dataset, OwnData)
    whole = 0 if is_whole else dataset.test_size // batch_size * batch_size
    samples = whole or dataset.test_size  # a test set without a whole batch is evaluated as it is
    return Resolution(samples, "image" if len(dataset.input_shape) == 3 else "sample") if samples else None


def described(entries: pd.DataFrame) -> str:
    """The test sets of the entries of one problem in words; "" where they are not known or the split is another.

    Args:
        entries: rows of one problem with `problem`, `protocol`, `batch_size`, `metric` and `split`.

    Returns:
        "256 images, 1 image = 0.39 points"; for losses "256 images"; where protocols or batches differ "256 or 300
        images, 1 image = 0.39 or 0.33 points".
    """
    rules = entries.loc[entries["split"] == "test", ["problem", "protocol", "batch_size"]].drop_duplicates()
    found = [resolution(str(row.problem), str(row.protocol), int(row.batch_size)) for row in rules.itertuples()]
    known = sorted({one for one in found if one is not None}, key=lambda one: one.samples)
    if not known or None in found:
        return ""
    unit = known[0].unit
    sizes = f"{' or '.join(str(one.samples) for one in known)} {unit}s"
    if set(entries["metric"]) != {"accuracy"}:
        return sizes
    return f"{sizes}, 1 {unit} = {' or '.join(f'{100 * one.step:.2g}' for one in known)} points"
