"""Tables of one's own: how columns become inputs and targets, and how rows are divided."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from regbench import datasets
from regbench.datasets import RawData
from regbench.datasets.own.proposal import propose
from regbench.errors import DataError
from regbench.records import Table

N = 200


def splits(data: RawData, what: str = "inputs") -> dict[str, Any]:
    return {split: getattr(data, f"{split}_{what}") for split in ("train", "validation", "test")}


def whole(data: RawData, what: str = "inputs") -> np.ndarray:
    return np.concatenate(list(splits(data, what).values()))


def test_numbers_are_standardised_and_text_is_told_apart_by_what_trains(
    table: Callable[..., Table], frame: pd.DataFrame
) -> None:
    mine = table(columns=("size", "kind", "old"))
    data, dataset = datasets.load(mine), datasets.get(mine)
    assert dataset.input_shape == (1 + 3 + 1,)
    assert dataset.class_names == ("no", "yes")
    assert [len(one) for one in splits(data).values()] == [dataset.train_size, dataset.validation_size, 30]
    trained = data.train_inputs.astype(float)
    np.testing.assert_allclose(trained[:, 0].mean(), 0, atol=1e-6)
    np.testing.assert_allclose(trained[:, 0].std(), 1, atol=1e-6)
    # Each row is one of the file, with the statistics of training; the file says what belongs to it.
    chosen = {round(value, 9): row for row, value in enumerate(frame["size"])}
    scaled = whole(data)[:, 0].astype(float)
    slope, offset = np.polyfit(np.sort(scaled), np.sort(frame["size"]), 1)
    rows = [min(chosen, key=lambda value: abs(value - (slope * one + offset))) for one in scaled]
    found = frame.iloc[[chosen[value] for value in rows]]
    assert sorted(found.index) == list(range(N))
    np.testing.assert_array_equal(whole(data)[:, 1:4].argmax(1), found["kind"].map({"elm": 0, "fir": 1, "oak": 2}))
    np.testing.assert_array_equal(whole(data)[:, 4], found["old"])
    np.testing.assert_array_equal(whole(data, "targets"), found["sold"] == "yes")
    shares = {split: (targets == 1).mean() for split, targets in splits(data, "targets").items()}
    assert max(shares.values()) - min(shares.values()) < 0.05


def test_parquet_and_csv_are_the_same_data(table: Callable[..., Table]) -> None:
    assert datasets.load(table()).digest == datasets.load(table(".parquet")).digest


def test_separator_at_the_end_of_every_row_shifts_no_column(table: Callable[..., Table]) -> None:
    mine = table()
    before, path = datasets.load(mine).digest, Path(mine.path)
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([head, *(f"{row}," for row in rows)]))
    assert datasets.load(mine).digest == before


def test_decimals_of_parquet_are_numbers(table: Callable[..., Table], frame: pd.DataFrame) -> None:
    mine = table(".parquet", columns=("size", "price"), scale_target=False)
    before = datasets.load(mine)
    for name in ("size", "price"):
        frame[name] = [Decimal(repr(value)).quantize(Decimal("1e-15")) for value in frame[name]]
    after = datasets.load(table(".parquet", columns=("size", "price")))
    np.testing.assert_allclose(whole(after), whole(before), rtol=1e-6)
    numbers = datasets.load(table(".parquet", target="price", columns=("count",)))
    np.testing.assert_allclose(np.sort(whole(numbers, "targets")), np.sort(frame["price"].astype(float)), rtol=1e-6)


ODD = {
    "dates": [date(2026, 1, 1) + timedelta(number) for number in range(N)],
    "times": [timedelta(number) for number in range(N)],
    "lists": [[number, 1] for number in range(N)],
}


@pytest.mark.parametrize("kind", ODD)
def test_what_is_neither_number_nor_text_is_refused(
    table: Callable[..., Table], frame: pd.DataFrame, kind: str
) -> None:
    frame["odd"] = ODD[kind]
    roles = {"target": "odd"}, {"weights": "odd"}, {"columns": ("size", "odd")}
    refused = [*roles, *([{"group": "odd"}, {"time": "odd"}] if kind == "lists" else [])]
    for role in refused:
        with pytest.raises(DataError, match=r"`odd`: must hold"):
            datasets.load(table(".parquet", **{"columns": ("size",), **role}))
    for numbers in ("auto", "numbers"):
        with pytest.raises(DataError, match=rf"target `odd`: must hold .* Received: {kind}"):
            datasets.load(table(".parquet", target="odd", columns=("size",), targets=numbers))
    if kind != "lists":
        trained = datasets.load(table(".parquet", target="price", columns=("count",), time="odd")).train_targets
        np.testing.assert_allclose(trained, frame["price"].to_numpy()[: len(trained)], rtol=1e-6)


def test_what_is_neither_number_nor_text_is_left_out_of_a_proposal(
    table: Callable[..., Table], frame: pd.DataFrame
) -> None:
    for kind, values in ODD.items():
        frame.insert(0, kind, values)
    proposal = propose(table(".parquet").path, None)
    assert isinstance(proposal.own, Table)
    assert set(proposal.own.drop) >= set(ODD)
    assert [line.split()[:2] for line in proposal.found[:3]] == [
        ["lists", "lists"],
        ["times", "times"],
        ["dates", "dates:"],
    ]


def test_numbers_to_learn_are_kept_or_standardised(table: Callable[..., Table], frame: pd.DataFrame) -> None:
    mine = table(target="price", drop=("sold", "day"))
    data = datasets.load(mine)
    assert (datasets.get(mine).classes, datasets.get(mine).target_shape, data.train_targets.dtype) == (
        0,
        (),
        np.float32,
    )
    np.testing.assert_allclose(np.sort(whole(data, "targets")), np.sort(frame["price"]), rtol=1e-6)
    scaled = datasets.load(mine.model_copy(update={"scale_target": True})).train_targets.astype(float)
    np.testing.assert_allclose([scaled.mean(), scaled.std()], [0, 1], atol=1e-6)


@pytest.mark.parametrize(("targets", "classes"), [("auto", 9), ("classes", 9), ("numbers", 0)])
def test_whole_numbers_are_classes_unless_it_is_said_otherwise(
    table: Callable[..., Table], targets: str, classes: int
) -> None:
    mine = table(target="count", drop=("day",), targets=targets, valid_fraction=0.3, test_fraction=0.3)
    assert datasets.get(mine).classes == classes


def test_groups_stay_together(table: Callable[..., Table], frame: pd.DataFrame) -> None:
    data = datasets.load(table(target="price", group="farm", columns=("size",)))
    farms = dict(zip(np.float32(frame["price"]), frame["farm"], strict=True))
    sides = [{farms[price] for price in prices} for prices in splits(data, "targets").values()]
    assert sum(map(len, sides)) == len(set.union(*sides)) == 20


def test_test_comes_after_validation_and_validation_after_training(
    table: Callable[..., Table], frame: pd.DataFrame
) -> None:
    data = datasets.load(table(target="price", time="day", columns=("size",)))
    days = dict(zip(np.float32(frame["price"]), frame["day"], strict=True))
    train, valid, test = ({days[price] for price in prices} for prices in splits(data, "targets").values())
    assert max(train) < min(valid) <= max(valid) < min(test)


def test_missing_values_are_filled_by_what_trains(table: Callable[..., Table], frame: pd.DataFrame) -> None:
    frame.loc[:20, "size"] = np.nan
    frame.loc[5:9, "kind"] = None
    mine = table(columns=("size", "kind"), missing="median", split_seed=1)
    data = datasets.load(mine)
    assert datasets.get(mine).input_shape == (1 + 4,)  # missing text is a fourth kind
    values, counts = np.unique(whole(data)[:, 0], return_counts=True)
    assert counts.max() in (21, 22)  # the median may be a value that is there
    np.testing.assert_allclose(values[counts.argmax()], np.median(data.train_inputs[:, 0]), atol=0.02)


def test_weights_go_with_their_samples(table: Callable[..., Table], frame: pd.DataFrame) -> None:
    data = datasets.load(table(target="price", weights="size", columns=("count",)))
    sizes = dict(zip(np.float32(frame["price"]), frame["size"], strict=True))
    np.testing.assert_allclose(data.train_weights, [sizes[price] for price in data.train_targets], rtol=1e-6)


def test_text_that_training_never_saw_is_0_in_every_column(table: Callable[..., Table], frame: pd.DataFrame) -> None:
    frame["kind"] = np.where(np.arange(N) < 9, [f"rare {number}" for number in range(N)], "oak")
    data = datasets.load(table(target="price", columns=("kind",)))
    unseen = 10 - data.train_inputs.shape[1]
    assert 0 < unseen < 8
    assert (data.train_inputs.sum(1) == 1).all()
    np.testing.assert_array_equal(np.sort(whole(data).sum(1)), [0] * unseen + [1] * (N - unseen))


def test_another_seed_divides_otherwise_and_the_same_alike(table: Callable[..., Table]) -> None:
    digests = [datasets.load(table(split_seed=seed)).digest for seed in (0, 1, 0)]
    assert digests[0] == digests[2] != digests[1]
