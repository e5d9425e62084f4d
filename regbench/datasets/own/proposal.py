"""What a problem on own data may look like, as the text of a problem file that runs at once."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from regbench.datasets.dataset import Dataset
from regbench.datasets.own import IMAGES, read
from regbench.datasets.own.parts import MOST_KINDS
from regbench.errors import DataError, UnknownNameError
from regbench.records import Arrays, Book, Function, Images, OwnData, Table

if TYPE_CHECKING:
    import pandas as pd

_TABLES = (".csv", ".tsv", ".gz", ".parquet", ".pq")
_TARGETS = ("target", "label", "class", "y")
_STEPS, _STEPS_ON_TOKENS = 1_000, 300  # about so many in a run; those of a recurrent network take long
_MOST_BATCH = 128
_SHOWN = 5


@dataclass(frozen=True)
class Proposal:
    """Own data as they may be read.

    Attributes:
        own: how.
        found: what is in them, a line each.
    """

    own: OwnData
    found: tuple[str, ...] = ()


def propose(place: str, target: str | None) -> Proposal:
    """Look at data, and say how they may be read.

    Args:
        place: a file, a folder, or `module:function`, whose module has been loaded.
        target: the column of a table that is learnt; one that is called so, or the last, unless given.

    Raises:
        DataError: there are none, or they cannot be read.
        UnknownNameError: there is no such column.
    """
    path = Path(place).expanduser()
    if ":" in place and not path.exists():
        return _without_target(Proposal(Function(name=place)), target)
    if not path.exists():
        raise DataError(f"{place}: must be a file, a folder or module:function. Received: nothing")
    path = path.absolute()
    if path.is_dir():
        is_arrays = any(path.glob("*.npy"))
        own: OwnData = Arrays(name="arrays", path=str(path)) if is_arrays else _images(path)
        return _without_target(Proposal(own), target)
    if path.suffix.lower() == ".npz":
        return _without_target(Proposal(Arrays(name="arrays", path=str(path))), target)
    if path.suffix.lower() in _TABLES:
        return _table(path, target)
    return _without_target(Proposal(Book(name="text", path=str(path))), target)


def to_toml(proposal: Proposal, name: str, folder: Path) -> str:
    """The text of the problem's file; the data are read for it.

    Args:
        proposal: what was found.
        name: of the problem.
        folder: in which the file will be, for relative paths.

    Raises:
        DataError: the data are not what they must be.
    """
    own = proposal.own
    reading = read(own)
    dataset, targets = reading.dataset, reading.data.train_targets
    if not dataset.classes and isinstance(own, Table) and (np.abs(targets).max() > 10 or targets.std() < 0.1):
        own = own.model_copy(update={"scale_target": True})
    least = min(dataset.train_size, dataset.validation_size, dataset.test_size)
    batch_size = 2 ** int(math.log2(min(_MOST_BATCH, least)))
    steps = _STEPS_ON_TOKENS if dataset.classes and dataset.target_shape else _STEPS
    epochs = min(max(math.ceil(steps / (dataset.train_size // batch_size)), 3), 100)
    sizes = f"{dataset.train_size} samples train, {dataset.validation_size} validate, {dataset.test_size} test"
    lines = [
        f"# {name}: written by `regbench new problem`. Every key: regbench's docs/own-data.md, testproblems/README.md.",
        f"# Found in {_in_a_line(str(own))}: {sizes}; inputs of shape {dataset.input_shape}.",
        *(f"#   {_in_a_line(line)}" for line in proposal.found),
        "",
        f"summary    = {json.dumps(f'{_learnt(own, dataset)} from {own}', ensure_ascii=False)}",
        'source     = "own data"',
        *_loss(dataset, targets),
        f"batch_size = {batch_size}",
        f"epochs     = {epochs}",
        "",
        "[dataset]",
        *_dataset(own, dataset, folder),
        "",
        *_model(dataset),
    ]
    return "\n".join(lines) + "\n"


def _without_target(proposal: Proposal, target: str | None) -> Proposal:
    if target is not None:
        raise DataError(f"`target` must be given for a table only. Received: target={target!r} for {proposal.own}")
    return proposal


def _table(path: Path, target: str | None) -> Proposal:
    from regbench.datasets.own import table

    separator = "," if path.suffix.lower() in table.PARQUET else _separator(path)
    frame = table.read_frame(path, separator)
    if target is not None and target not in frame.columns:
        raise UnknownNameError("column", target, list(frame.columns), where=f"{path}: target")
    named = [name for name in frame.columns if str(name).lower() in _TARGETS]
    learnt = target or (named or list(frame.columns))[-1]
    dropped = [name for name in frame.columns if name != learnt and _cannot_be_read(frame[name])]
    own = Table(
        name="table",
        path=str(path),
        target=learnt,
        drop=tuple(dropped),
        missing="median" if frame.drop(columns=[*dropped, learnt]).isna().any().any() else "error",
        separator=separator,
    )
    marks = {learnt: "  <- target", **dict.fromkeys(dropped, "  (dropped)")}
    width = max(map(len, frame.columns))
    found = [f"{name:<{width}}  {_described(frame[name])}{marks.get(name, '')}" for name in frame.columns]
    return Proposal(own, tuple(found))


def _separator(path: Path) -> str:
    """The character that divides the names of the columns."""
    if path.suffix.lower() == ".gz":
        return ","
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            head = file.readline(1 << 16)
    except OSError as error:
        raise DataError(f"{path}: must be readable. Received: {error.strerror or error}") from error
    return max(",;\t|", key=head.count)


def _cannot_be_read(column: pd.Series[Any]) -> bool:
    """Whether a column is one of dates, times or lists, or of too many texts."""
    from regbench.datasets.own import table

    return (
        bool(table.odd(column))
        or _dates(column) is not None
        or (table.is_text(column) and column.nunique() > table.MOST_VALUES)
    )


def _dates(column: pd.Series[Any]) -> pd.Series[Any] | None:
    """A column of dates, or of many texts that are dates, as dates; None for any other."""
    import pandas as pd

    from regbench.datasets.own import table

    if table.odd(column) == "dates":
        return pd.to_datetime(column, utc=True)
    if not table.is_text(column) or column.dtype == bool or column.nunique() <= MOST_KINDS:
        return None
    found = pd.to_datetime(column.dropna(), errors="coerce", format="ISO8601", utc=True)
    return found if found.notna().all() else None


def _described(column: pd.Series[Any]) -> str:
    from regbench.datasets.own import table

    missing = int(column.isna().sum())
    lacks = f", {missing} missing" if missing else ""
    if (came := table.odd(column)) in ("times", "lists"):
        return came + lacks
    dates = _dates(column)
    if dates is not None:
        return f"dates: {dates.min():%Y-%m-%d} to {dates.max():%Y-%m-%d}{lacks}"
    if table.is_text(column):
        kinds = sorted(map(str, column.dropna().unique()))
        shown = ", ".join(kinds[:_SHOWN]) + (f", ... ({len(kinds)})" if len(kinds) > _SHOWN else "")
        return f"text: {shown}{lacks}"
    return f"number: {column.min():g} to {column.max():g}{lacks}"


def _images(path: Path) -> Images:
    from PIL import Image

    from regbench.datasets.own import images

    first = next((one for one in sorted(path.rglob("*")) if one.suffix.lower() in IMAGES), None)
    if first is None:
        raise DataError(f"{path}: must be a folder of images, or of .npy. Received: a folder without them")
    try:
        with Image.open(first, formats=images.FORMATS) as image:
            is_grey, smaller = image.mode in ("1", "L", "LA"), min(image.size)
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{first}: must be an image. Received: {' '.join(str(error).split())}") from error
    side = min(64, max(8, smaller))
    return Images(name="images", path=str(path), size=(side, side), color=not is_grey)


def _learnt(own: OwnData, dataset: Dataset) -> str:
    if isinstance(own, Table):
        return own.target
    if dataset.classes and dataset.target_shape:
        return "Next characters"
    return "Classes" if dataset.classes else "Numbers"


def _loss(dataset: Dataset, targets: np.ndarray) -> list[str]:
    if dataset.classes and dataset.target_shape:
        return [
            'loss       = "token_crossentropy"',
            'metric     = "bits_per_character"  # or "loss", "accuracy", "perplexity"',
        ]
    if dataset.classes:
        counts = np.bincount(targets, minlength=dataset.classes)
        is_even = counts.max() < 3 * counts.min()
        return [
            f'loss       = "sparse_categorical_crossentropy"  # {dataset.classes} classes',
            f'metric     = "{"accuracy" if is_even else "balanced_accuracy"}"  # or "f1", "auroc", "loss", ...',
            *([] if is_even else ['# class_weights = "balanced"  # the rarest class counts as much as the largest']),
        ]
    return [
        'loss       = "mean_squared_error"  # or "mean_absolute_error", "huber"',
        'metric     = "rmse"  # or "mean_absolute_error", "r2", "loss"',
    ]


def _dataset(own: OwnData, dataset: Dataset, folder: Path) -> list[str]:
    table: dict[str, Any] = {"name": own.name}
    if own.path:
        table["path"] = Path(os.path.relpath(own.path, folder.absolute())).as_posix()
    table |= {key: value for key, value in own.model_dump(mode="json").items() if key not in ("name", "arguments")}
    comments = {
        "path": "  # relative to this file",
        "missing": "  # of the training samples",
        "scale_target": "  # errors are in standard deviations of the target",
        "target": f"  # classes: {_in_a_line(', '.join(dataset.class_names[:_SHOWN]))}"
        if dataset.class_names
        else "  # numbers",
    }
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}{comments.get(key, '')}" for key, value in table.items()]
    if isinstance(own, Function):
        return [*lines, "# further keys are arguments of the function"]
    if isinstance(own, Images | Table):
        lines += [f"# {key} = {getattr(own, key)}" for key in ("valid_fraction", "test_fraction", "split_seed")]
    return lines


def _in_a_line(text: str) -> str:
    """As a comment may hold it."""
    return "".join(one if one.isprintable() else " " for one in text)


def _model(dataset: Dataset) -> list[str]:
    model: dict[str, Any] = {"name": "mlp", "units": [64, 32], "stddev": 0.1}
    if dataset.classes and dataset.target_shape:
        model = {"name": "char_gru", "width": 16, "units": 64}
    elif len(dataset.input_shape) == 3 and min(dataset.input_shape[:2]) >= 8:
        model = {"name": "conv_2c2d", "filters": [8, 16], "units": 64}
    return ["[model]", *(f"{key} = {json.dumps(value)}" for key, value in model.items())]
