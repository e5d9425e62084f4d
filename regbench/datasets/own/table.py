"""A CSV or Parquet file of one's own: numbers are standardised, text becomes a column of 0 and 1 for each value."""

from __future__ import annotations

import warnings
from collections.abc import Hashable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from regbench.datasets.own import division
from regbench.datasets.own.parts import Part, Reading, are_numbers, check_classes, gathered
from regbench.errors import DataError, UnknownNameError
from regbench.records import Table

if TYPE_CHECKING:
    import pandas as pd

PARQUET = (".parquet", ".pq")
MOST_VALUES = 256
"""Of a column of text: each is an input."""

_OTHERWISE = {"dates": "`time`, or dropped", "times": "`time`, or dropped", "lists": "dropped"}
_ROWS, _THREADS = 1 << 15, 4  # transformed at a time


def read(own: Table) -> Reading:
    """Read, divide and transform; statistics are those of the training samples alone.

    Raises:
        DataError: the file cannot be read, or a column is not what it must be; the message names it.
    """
    frame, where = read_frame(Path(own.path), own.separator), own.path
    _check_names(own, list(frame.columns), where)
    roles = {"target": own.target, "weights": own.weights, "group": own.group, "time": own.time}
    taken = {role: frame.pop(name) for role, name in roles.items() if name is not None}
    for role, column in taken.items():
        _check_present(column, f"{where}: {role} `{column.name}`")
        came = odd(column)
        if came == "lists" or (came and role == "target"):
            raise DataError(f"{where}: {role} `{column.name}`: must hold classes or numbers. Received: {came}")
    targets = _target(taken["target"], own, where)
    weights = _numbers(taken["weights"], where).astype(np.float32) if "weights" in taken else None
    if own.columns is not None:
        frame = frame[list(own.columns)]
    frame = frame.drop(columns=list(own.drop))
    if frame.shape[1] == 0:
        raise DataError(f"{where}: must have a column besides {', '.join(str(one) for one in roles.values() if one)}")
    is_class = not are_numbers(targets, own)
    if is_class:
        check_classes(targets, f"{where}: target `{own.target}`")
    parts = division.divide(
        len(frame),
        own,
        where,
        test_fraction=own.test_fraction,
        classes=targets if is_class else None,
        groups=taken["group"].to_numpy() if "group" in taken else None,
        times=_times(taken["time"], where) if "time" in taken else None,
    )
    if own.scale_target and not is_class:
        targets = targets.astype(np.float64)
        centre, spread = targets[parts["train"]].mean(), targets[parts["train"]].std()
        targets = (targets - centre) / (spread or 1.0)
    inputs = _inputs(frame, parts, own, where)
    return gathered(
        own,
        {
            split: Part(inputs.pop(split), targets[rows], None if weights is None else weights[rows])
            for split, rows in parts.items()
        },
        where,
        target=f"target `{own.target}`",
    )


def read_frame(path: Path, separator: str = ",") -> pd.DataFrame:
    """The table as pandas reads it.

    Raises:
        DataError: it cannot be read, has no rows, one column only, or more values than names.
    """
    import pandas as pd

    is_parquet = path.suffix.lower() in PARQUET
    try:
        frame = pd.read_parquet(path) if is_parquet else _read_csv(path, separator)
    except pd.errors.ParserWarning as warning:  # the first row has more values than names; of later ones pandas tells
        must = "line 2: must have as many values as there are names of columns"
        raise DataError(f"{path}: {must}. Received: more") from warning
    except OSError as error:
        raise DataError(f"{path}: must be readable. Received: {error.strerror or _line(error)}") from error
    except (ValueError, RecursionError) as error:  # of pandas, pyarrow and codecs
        kind = "Parquet file" if is_parquet else "table of comma-separated values, in UTF-8"
        raise DataError(f"{path}: must be a {kind}. Received: {_line(error)}") from error
    frame.columns = [str(name) for name in frame.columns]
    if is_parquet and len(set(frame.columns)) == frame.shape[1]:
        decimal = [name for name in frame.columns if _kind(frame[name]) == "decimal"]
        frame = frame.astype(dict.fromkeys(decimal, np.float64))
    if frame.shape[1] < 2:
        hint = "" if is_parquet else f', divided by "{separator}" (`separator` says otherwise)'
        came = repr(frame.columns[0][:60]) if frame.shape[1] else "none"
        raise DataError(f"{path}: must have at least two columns{hint}. Received: {came}")
    if not len(frame):
        raise DataError(f"{path}: must have rows below the names of the columns. Received: none")
    if len(set(frame.columns)) < frame.shape[1]:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise DataError(f"{path}: must have columns of different names. Received: {twice!r} twice")
    return frame


def _read_csv(path: Path, separator: str) -> pd.DataFrame:
    """Without names of rows, for which pandas else takes the first values of rows that end with the separator."""
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        return pd.read_csv(path, sep=separator, skipinitialspace=True, index_col=False)


def is_text(column: pd.Series[Any]) -> bool:
    """Whether each value of a column becomes an input of its own."""
    import pandas as pd

    return bool(column.dtype == bool or not pd.api.types.is_numeric_dtype(column.dtype))


def odd(column: pd.Series[Any]) -> str:
    """What a column of a Parquet file holds that is neither numbers nor text: "dates", "times" or "lists"; else ""."""
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column.dtype) or _kind(column) in ("date", "datetime"):
        return "dates"
    if column.dtype.kind == "m" or _kind(column) in ("time", "timedelta"):
        return "times"
    if column.dtype != object or not len(column):
        return ""
    return "" if isinstance(column.iloc[int(column.notna().to_numpy().argmax())], Hashable) else "lists"


def _kind(column: pd.Series[Any]) -> str:
    """What the objects of a column are, as pandas calls it; empty where they are none."""
    import pandas as pd

    return pd.api.types.infer_dtype(column, skipna=True) if column.dtype == object else ""


def _check_names(own: Table, columns: list[str], where: str) -> None:
    named = [("target", own.target), ("weights", own.weights), ("group", own.group), ("time", own.time)]
    named += [("columns", name) for name in own.columns or ()] + [("drop", name) for name in own.drop]
    for key, name in named:
        if name is not None and name not in columns:
            raise UnknownNameError("column", name, columns, where=f"{where}: {key}")


def _check_present(column: pd.Series[Any], what: str) -> None:
    missing = int(column.isna().sum())
    if missing:
        first = int(column.isna().to_numpy().argmax())
        raise DataError(
            f"{what}: must have a value in every row. Received: no value in {missing} rows, the first is row {first}"
        )


def _target(column: pd.Series[Any], own: Table, where: str) -> np.ndarray:
    if own.targets == "numbers":
        return _numbers(column, where)
    return column.astype(str).to_numpy(object) if is_text(column) else column.to_numpy()


def _numbers(column: pd.Series[Any], where: str) -> np.ndarray:
    import pandas as pd

    numbers = pd.to_numeric(column, errors="coerce")
    if numbers.isna().any() or odd(column):
        row = int(numbers.isna().to_numpy().argmax())
        came = str(column.iloc[row])
        raise DataError(f"{where}: `{column.name}`: must hold numbers. Received: {came!r} in row {row}")
    return numbers.to_numpy(np.float64)


def _times(column: pd.Series[Any], where: str) -> np.ndarray:
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_timedelta64_dtype(column.dtype):
        return column.to_numpy()
    times = pd.to_datetime(column, errors="coerce", format="mixed", utc=True)
    if times.isna().any():
        row = int(times.isna().to_numpy().argmax())
        came = str(column.iloc[row])
        raise DataError(f"{where}: time `{column.name}`: must hold dates or numbers. Received: {came!r} in row {row}")
    return times.to_numpy()


def _inputs(frame: pd.DataFrame, parts: dict[str, np.ndarray], own: Table, where: str) -> dict[str, np.ndarray]:
    """The inputs of each split, float32: columns of numbers first."""
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    text = [name for name in frame.columns if is_text(frame[name])]
    numeric = [name for name in frame.columns if name not in text]
    _check_present_inputs(frame, own, where)
    numbered = frame[text].assign(**{name: _numbered(frame[name], f"{where}: `{name}`") for name in text})
    encoder = OneHotEncoder(drop="if_binary", handle_unknown="ignore", sparse_output=False, dtype=np.float32)
    if text:
        encoder.fit(numbered.iloc[parts["train"]])
    width = len(encoder.get_feature_names_out()) if text else 0
    inputs = {split: np.empty((len(rows), len(numeric) + width), np.float32) for split, rows in parts.items()}

    def standardise(place: int) -> None:
        column = frame[numeric[place]]
        _check_finite(column, f"{where}: `{column.name}`")
        values = column.to_numpy(np.float64)[:, np.newaxis]
        fill = [SimpleImputer(strategy="median", keep_empty_features=True)] if own.missing == "median" else []
        scaler = make_pipeline(*fill, StandardScaler()).fit(values[parts["train"]])
        for split, rows in parts.items():
            inputs[split][:, place] = scaler.transform(values[rows])[:, 0]

    def encode(split: str, start: int) -> None:
        rows = numbered.iloc[parts[split][start : start + _ROWS]]
        inputs[split][start : start + _ROWS, len(numeric) :] = encoder.transform(rows)

    # By columns and by rows: a ColumnTransformer copies all of a large table, and makes its parts one after the other.
    with warnings.catch_warnings(), ThreadPoolExecutor(_THREADS) as pool:
        warnings.filterwarnings("ignore", "Found unknown categories", UserWarning)  # which are 0 in every column
        jobs = [pool.submit(standardise, place) for place in range(len(numeric))]
        if text:
            starts = [(split, start) for split, rows in parts.items() for start in range(0, len(rows), _ROWS)]
            jobs += [pool.submit(encode, *one) for one in starts]
        for job in jobs:
            job.result()
    return inputs


def _check_present_inputs(frame: pd.DataFrame, own: Table, where: str) -> None:
    missing = frame.isna().sum()
    if missing.any() and own.missing == "error":
        there = ", ".join(f"`{name}` {count}" for name, count in missing[missing > 0].items())
        raise DataError(f'{where}: must have no missing values, or `missing = "median"`. Received: {there}')


def _check_finite(column: pd.Series[Any], what: str) -> None:
    with np.errstate(over="ignore"):
        infinite = np.isinf(column.to_numpy(np.float64).astype(np.float32))
    if infinite.any():
        came = f"{int(infinite.sum())} infinite or beyond 3.4e38, the first in row {int(infinite.argmax())}"
        raise DataError(f"{what}: must be finite, also as float32. Received: {came}")


def _numbered(column: pd.Series[Any], what: str) -> np.ndarray:
    """Texts as the numbers of their sorted order; a missing one is a text of its own.

    Raises:
        DataError: there are too many, or they are dates, or mostly numbers.
    """
    import pandas as pd

    if came := odd(column):
        raise DataError(f"{what}: must hold numbers or text, or be {_OTHERWISE[came]}. Received: {came}")
    places, found = pd.factorize(column, use_na_sentinel=True)
    texts = pd.Series([str(one) for one in found])
    are_numbers = pd.to_numeric(texts, errors="coerce").notna().to_numpy()
    if column.dtype != bool and are_numbers.any() and not are_numbers.all():
        of_rows = np.append(are_numbers, True)[places]
        if of_rows.mean() > 0.5:
            row = int(of_rows.argmin())
            came = f"{texts[places[row]]!r} in row {row}"
            raise DataError(f"{what}: must hold numbers, or text that is none. Received: {came}")
    if len(texts) > MOST_VALUES:
        raise DataError(
            f"{what}: must hold at most {MOST_VALUES} different texts, or be dropped. Received: {len(texts)}"
        )
    rank = np.append(texts.rank().to_numpy(), 0).astype(np.int16)  # the last is what is missing
    return rank[places]


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())
