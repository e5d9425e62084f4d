"""Dividing samples by time, where many of them are of one point."""

import numpy as np
import pytest

from regbench.datasets.own.division import divide
from regbench.errors import DataError
from regbench.records import Arrays

OWN = Arrays(name="arrays", path="x", valid_fraction=0.15)


@pytest.mark.parametrize(
    "times", [[1, 2, *[3] * 50], [*[1] * 50, 2, 3], [1, *[2] * 50, 3], [*[1] * 9, 2, *[3] * 9, *[4] * 50]]
)
@pytest.mark.parametrize("days", [False, True])
def test_three_points_in_time_are_enough(times: list[int], days: bool) -> None:
    order = np.array(times).astype("M8[D]") if days else np.array(times)
    parts = divide(len(times), OWN, "x", test_fraction=0.15, times=order)
    train, valid, test = (order[parts[split]] for split in ("train", "valid", "test"))
    assert len(train) + len(valid) + len(test) == len(times)
    assert train.max() < valid.min() <= valid.max() < test.min()


def test_two_points_in_time_are_refused() -> None:
    with pytest.raises(DataError, match=r"at least 3 points to divide at\. Received: 2"):
        divide(60, OWN, "x", test_fraction=0.15, times=np.arange(60) % 2)
