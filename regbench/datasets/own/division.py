"""Dividing samples into training, validation and test: at random, by groups, or by time."""

from __future__ import annotations

import numpy as np

from regbench.errors import DataError
from regbench.records import OwnData


def divide(
    count: int,
    own: OwnData,
    where: str,
    *,
    test_fraction: float,
    classes: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    times: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Say which samples are of "train", "valid" and "test": their positions, rising.

    Args:
        count: of the samples.
        own: says the share that validates, and the seed.
        where: the file, folder or function, for messages.
        test_fraction: the share that tests; 0 makes no "test".
        classes: (n,), of which each split gets the same share.
        groups: (n,); samples of a group stay together.
        times: (n,), sortable; validation is later than training, and test later than both.

    Raises:
        DataError: there are too few samples, groups or points in time.
    """
    shares = {"test": test_fraction, "valid": own.valid_fraction}
    if times is not None:
        return _by_time(times, shares, where)
    units, members = (np.arange(count), None) if groups is None else np.unique(groups, return_inverse=True)
    if len(units) < 3:
        raise DataError(
            f"{where}: must hold at least 3 {'samples' if groups is None else 'groups'} to divide. "
            f"Received: {len(units)}"
        )
    generator = np.random.default_rng(own.split_seed)
    strata = [np.arange(len(units))]
    if classes is not None and groups is None:
        strata = [np.flatnonzero(classes == one) for one in np.unique(classes)]
        least = min(strata, key=len)
        needed = 1 + sum(share > 0 for share in shares.values())
        if len(least) < needed:
            must = f"must hold at least {needed} samples of every class, one for each split"
            came = classes[least].tolist()[0]
            raise DataError(f"{where}: {must}. Received: {len(least)} of {came!r}")
    side = np.zeros(len(units), np.int8)  # 0 trains
    for stratum in strata:
        start, order = 0, generator.permutation(stratum)
        for number, share in enumerate(shares.values(), start=1):
            size = round(share * len(stratum)) or int(share > 0)
            side[order[start : start + size]] = number
            start += size
    of_samples = side if members is None else side[members]
    parts = {split: np.flatnonzero(of_samples == number) for number, split in enumerate(("train", *shares))}
    parts = {split: positions for split, positions in parts.items() if shares.get(split) != 0}
    if empty := [split for split, positions in parts.items() if not len(positions)]:
        came = f"{len(units)} {'samples' if groups is None else 'groups'}, of which none is in {empty[0]!r}"
        must = "must hold enough to divide by `valid_fraction` and `test_fraction`"
        raise DataError(f"{where}: {must}. Received: {came}")
    return parts


def _by_time(times: np.ndarray, shares: dict[str, float], where: str) -> dict[str, np.ndarray]:
    """Cut at two points in time; samples of one point are never on two sides."""
    points, ordered = np.unique(times), np.sort(times)
    if len(points) < 3:
        raise DataError(f"{where}: time: must have at least 3 points to divide at. Received: {len(points)}")
    test = max(
        ordered[-max(1, round(shares["test"] * len(times)))], points[2]
    )  # which leaves one to each of the others
    before = ordered[ordered < test]
    valid = max(before[-min(len(before), max(1, round(shares["valid"] * len(times))))], points[1])
    return {
        "train": np.flatnonzero(times < valid),
        "valid": np.flatnonzero((times >= valid) & (times < test)),
        "test": np.flatnonzero(times >= test),
    }
