"""The options that say how long a run is, and how its learning rate changes."""

from collections.abc import Callable
from typing import Any

import click

from regbench import catalog
from regbench.cli import values
from regbench.records import EACH_STEP, WARMUP, Schedule

OPTIONS = (
    click.option("--epochs", type=int, metavar="N", help="Epochs.  [default: the problem's]"),
    click.option("--batch-size", type=int, metavar="N", help="Samples in a step.  [default: the problem's]"),
    click.option(
        "--schedule",
        default="none",
        show_default=True,
        metavar="NAME",
        help=f"How the learning rate changes: {', '.join(catalog.SCHEDULES)}.",
    ),
    click.option(
        "--lr-epochs",
        callback=values.numbers(int),
        metavar="N,...",
        help="Epochs (from 0) in which the schedule step takes its next factor.",
    ),
    click.option("--lr-factors", callback=values.numbers(float), metavar="X,...", help="The factors."),
    click.option(
        "--warmup",
        type=float,
        metavar="SHARE",
        help=f"Of all steps, in which the rate of {', '.join(EACH_STEP)} rises.  [default: {WARMUP:g}]",
    ),
)
"""Of `run`, `search`, `plan` and `show --decay`."""


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say how long a run is, and how its learning rate changes."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def take_schedule(options: dict[str, Any]) -> Schedule:
    """Take the four options of the schedule out of the others."""
    names = ("schedule", "lr_epochs", "lr_factors", "warmup")
    return catalog.schedule(*(options.pop(name) for name in names))
