"""What every form of own data comes to: samples of three splits, judged, as the arrays of a data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from regbench.datasets.dataset import Dataset, RawData
from regbench.errors import DataError
from regbench.records import OwnData

if TYPE_CHECKING:
    from regbench.records import Preprocessing

MOST_KINDS = 20
"""Whole numbers of more kinds are taken for numbers, unless it is said what they are."""

_SPLITS = {"train": "train", "valid": "validation", "test": "test"}


@dataclass(frozen=True, eq=False)
class Part:
    """The samples of a split as a form has them.

    Attributes:
        inputs: of shape (n, ...).
        targets: of shape (n, ...): classes under any names, tokens or numbers.
        weights: of shape (n,), or None; how much the loss of each counts in training.
    """

    inputs: np.ndarray
    targets: np.ndarray
    weights: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Reading:
    """Own data as they were read: the record of the data set, and its arrays."""

    dataset: Dataset
    data: RawData


def are_numbers(targets: np.ndarray, own: OwnData) -> bool:
    """Whether targets are numbers to be learnt; else they are classes."""
    if own.targets in ("classes", "numbers"):
        return own.targets == "numbers"
    if own.targets == "probabilities" and targets.ndim > 1:
        return True
    if targets.dtype.kind == "f":
        return True
    return targets.dtype.kind in "iu" and len(np.unique(targets)) > MOST_KINDS


def gathered(
    own: OwnData, parts: Mapping[str, Part], where: str, preprocessing: Preprocessing = "none", target: str = ""
) -> Reading:
    """Judge the samples of "train", "valid" and "test", and put them together.

    Args:
        own: whose they are.
        parts: by split.
        where: the file, folder or function, for messages.
        preprocessing: what is done to the inputs.
        target: what the targets are called in messages, `y_train` and so on unless given.

    Raises:
        DataError: they do not go together, are not finite, or lack classes.
    """
    called = {
        split: f"{where}: {f'{target} of the {_SPLITS[split]} samples' if target else f'y_{split}'}" for split in parts
    }
    named = {called[split]: part.targets for split, part in parts.items()}
    names: list[str] = []
    if are_numbers(parts["train"].targets, own):
        judged = [_numbers(array, what) for what, array in named.items()]
    elif parts["train"].targets.ndim > 1:
        judged = [_tokens(array, what) for what, array in named.items()]
    else:
        judged, names = _classes(named)
    targets = dict(zip(parts, judged, strict=True))
    tokens = targets["train"].ndim > 1 and targets["train"].dtype == np.int32
    classes = 1 + max(int(one.max()) for one in targets.values()) if tokens else len(names)
    inputs = {split: _inputs(part.inputs, f"{where}: x_{split}") for split, part in parts.items()}
    for split in parts:
        _check_shapes(inputs, targets, split, where)
    train = inputs["train"]
    arrays: dict[str, np.ndarray] = {}
    for split, long in _SPLITS.items():
        arrays |= {f"{long}_inputs": inputs[split], f"{long}_targets": targets[split]}
    if parts["train"].weights is not None:
        arrays["train_weights"] = _weights(parts["train"].weights, where)
    dataset = Dataset(
        name=str(own),
        summary=f"{own}, of one's own",
        source="own data",
        classes=classes,
        input_shape=train.shape[1:],
        train_size=len(train),
        test_size=len(inputs["test"]),
        validation_size=len(inputs["valid"]),
        preprocessing=preprocessing,
        augmentation="none",
        target_shape=targets["train"].shape[1:],
        class_names=tuple(names),
    )
    return Reading(dataset, RawData(**arrays))


def check_finite(array: np.ndarray, what: str) -> None:
    """Refuse an array of numbers with one that is not finite; the message counts them and names the first.

    Raises:
        DataError: so it is.
    """
    if array.dtype.kind != "f":
        return
    with np.errstate(over="ignore", invalid="ignore"):
        total = array.sum(dtype=np.float64)  # which tells at the least cost
    if np.isfinite(total):
        return
    wrong = np.argwhere(~np.isfinite(array))
    if len(wrong):
        place = ", ".join(map(str, wrong[0]))
        raise DataError(
            f"{what}: must be finite. Received: {len(wrong)} NaN or infinite values, the first at [{place}]"
        )


def check_classes(array: np.ndarray, what: str) -> None:
    """Refuse targets that are no classes.

    Raises:
        DataError: so they are.
    """
    if array.dtype.kind == "f":
        check_finite(array, what)
        odd = array[array % 1 != 0]
        if len(odd):
            raise DataError(f"{what}: must hold classes, text or whole numbers. Received: {odd[0].item()!r}")
    elif array.dtype.kind not in "biuOUST":
        raise DataError(f"{what}: must hold classes, text or whole numbers. Received: {array.dtype}")


def _inputs(array: np.ndarray, what: str) -> np.ndarray:
    if array.dtype.kind not in "biuf":
        raise DataError(f"{what}: must hold numbers. Received: {array.dtype}")
    if array.ndim < 2:
        raise DataError(
            f"{what}: must have an axis for samples and one for their values. Received: shape {array.shape}"
        )
    check_finite(array, what)
    with np.errstate(over="ignore"):
        kept = array if array.dtype in (np.uint8, np.int32) else array.astype(np.float32, copy=False)
    check_finite(kept, f"{what} as float32")
    return kept


def _numbers(array: np.ndarray, what: str) -> np.ndarray:
    if array.dtype.kind not in "biuf" or array.ndim > 2:
        raise DataError(f"{what}: must hold numbers, (n,) or (n, k). Received: {array.dtype} of shape {array.shape}")
    check_finite(array, what)
    with np.errstate(over="ignore"):
        kept = array.astype(np.float32)
    check_finite(kept, f"{what} as float32")
    return kept


def _tokens(array: np.ndarray, what: str) -> np.ndarray:
    if array.dtype.kind not in "iu" or array.min(initial=0) < 0:
        must = "must be of shape (n,), or hold whole numbers from 0, tokens"
        raise DataError(f"{what}: {must}. Received: {array.dtype} of shape {array.shape}")
    return array.astype(np.int32)


def _classes(named: Mapping[str, np.ndarray]) -> tuple[list[np.ndarray], list[str]]:
    """Number the classes in the order of their names; every split must have all, and training comes first."""
    found = []
    for what, array in named.items():
        check_classes(array, what)
        found.append(np.unique(array, return_inverse=True))
    known = found[0][0].tolist()
    if len(known) < 2:
        raise DataError(f"{next(iter(named))}: must hold at least two classes. Received: {_shown(known)}")
    for what, (names, _) in zip(named, found, strict=True):
        new = [name for name in names.tolist() if name not in known]
        if new:
            raise DataError(f"{what}: must hold classes that training has. Received: {_shown(new)}")
        lacking = [name for name in known if name not in names.tolist()]
        if lacking:
            raise DataError(f"{what}: must hold every class. Received: none of {_shown(lacking)}")
    return [places.astype(np.int32) for _, places in found], [str(name) for name in known]


def _shown(names: list[object]) -> str:
    return ", ".join(map(repr, names[:3])) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _weights(weights: np.ndarray, where: str) -> np.ndarray:
    if weights.dtype.kind not in "biuf":
        raise DataError(f"{where}: weights: must be numbers. Received: {weights.dtype}")
    check_finite(weights, f"{where}: weights")
    if weights.min() < 0 or not weights.any():
        must = "must not be negative, and not all 0 in training"
        raise DataError(f"{where}: weights: {must}. Received: {weights.min().item()!r}")
    return weights.astype(np.float32)


def _check_shapes(inputs: Mapping[str, np.ndarray], targets: Mapping[str, np.ndarray], split: str, where: str) -> None:
    if len(inputs[split]) != len(targets[split]):
        came = f"{len(inputs[split])} and {len(targets[split])}"
        raise DataError(f"{where}: x_{split} and y_{split} must have equally many samples. Received: {came}")
    if not len(inputs[split]):
        raise DataError(f"{where}: x_{split}: must hold at least one sample. Received: none")
    for letter, arrays in (("x", inputs), ("y", targets)):
        if arrays[split].shape[1:] != arrays["train"].shape[1:] or arrays[split].dtype != arrays["train"].dtype:
            came, must = (f"{one.dtype} of shape {one.shape}" for one in (arrays[split], arrays["train"]))
            raise DataError(f"{where}: {letter}_{split} must be like {letter}_train, {must}. Received: {came}")
