"""Runs for TensorBoard: a folder for each, with an event file that holds its curves and hyperparameters."""

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.summary_pb2 import Summary
from tensorboardX.record_writer import RecordWriter
from tensorboardX.summary import hparams

from regbench.trees.frames import Results

EVENT_FILE = "events.out.tfevents.regbench"
ABOUT = ("problem", "candidate", "coupling", "protocol", "schedule", "epochs", "batch_size", "seed", "outcome")
"""Columns of the runs that stand beside the hyperparameters."""

_RUNS_AT_ONCE = 1000
_VERSION = "brain.Event:2"


def write(results: Results, folder: Path) -> None:
    """Write the runs that count into a new folder; superseded ones are left out.

    A run's folder has the path of its file in the tree, without `.json`. Its scalars are `accuracy/train`,
    `loss/valid` and so on by epoch (0 is before training); TensorBoard takes the last as the metrics of its table of
    hyperparameters. Event files are the same whenever they are written: their times are those of the runs.
    """
    # A run stands in the frame once for each search that it belongs to.
    runs = results.runs[~results.runs["superseded"]].drop_duplicates("file").set_index("run", drop=False)
    numbers = runs["run"].tolist()
    for first in range(0, len(numbers), _RUNS_AT_ONCE):
        curves = results.curves(numbers[first : first + _RUNS_AT_ONCE])
        for number, of_run in curves.groupby("run", sort=False):
            run = runs.loc[number].to_dict()
            place = folder / str(run["file"]).removesuffix(".json")
            place.mkdir(parents=True)
            _write_events(_events(run, of_run), place / EVENT_FILE)


def _write_events(events: Iterator[Event], path: Path) -> None:
    writer = RecordWriter(str(path))
    try:
        for event in events:
            writer.write(event.SerializeToString())
    finally:
        writer.close()


def _events(run: Mapping[str, Any], curves: pd.DataFrame) -> Iterator[Event]:
    moment = 0.0 if pd.isna(run["moment"]) else run["moment"].to_pydatetime().timestamp()
    yield Event(wall_time=moment, file_version=_VERSION)
    tags = curves["metric"].astype(str).map(_tag).tolist()
    for summary in hparams(_hyperparameters(run), dict.fromkeys(tags)):
        yield Event(wall_time=moment, summary=summary)
    by_epoch: dict[int, list[Summary.Value]] = defaultdict(list)
    for tag, epoch, value in zip(tags, curves["epoch"].tolist(), curves["value"].tolist(), strict=True):
        by_epoch[epoch].append(Summary.Value(tag=tag, simple_value=value))
    for epoch in sorted(by_epoch):
        yield Event(wall_time=moment, step=epoch, summary=Summary(value=by_epoch[epoch]))


def _tag(metric: str) -> str:
    """What TensorBoard shows in one group begins alike: `accuracy/valid`."""
    split, _, name = metric.partition("_")
    return f"{name}/{split}"


def _hyperparameters(run: Mapping[str, Any]) -> dict[str, bool | float | str]:
    own = {name: _plain(value) for name, value in json.loads(run["setting"]).items()}
    return own | {name: _plain(run[name]) for name in ABOUT}


def _plain(value: Any) -> bool | float | str:
    """A value that TensorBoard can show: lists, tables, null and numbers beyond all floats as JSON."""
    if isinstance(value, bool | str):
        return value
    try:
        number = float(value)
    except (TypeError, OverflowError):
        return json.dumps(value)
    return number if math.isfinite(number) else json.dumps(value)
