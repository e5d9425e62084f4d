"""`show PROBLEM --decay`: what a decay leaves of a weight on a problem, and what of other couplings leaves as much."""

import math

from regbench import catalog
from regbench.cli import terminal
from regbench.conventions import couplings
from regbench.errors import DefinitionError, UnknownNameError
from regbench.records import Coupling, Problem, Schedule


def show_decay(
    name: str,
    decay: str,
    learning_rate: float | None,
    momentum: float,
    schedule: Schedule,
    epochs: int | None,
    batch_size: int | None,
    form: str,
) -> None:
    """Print a row a coupling.

    Args:
        name: of the problem, which tells how many steps an epoch has.
        decay: `COUPLING=STRENGTH`.
        learning_rate: at the start, before any schedule.
        momentum: of the optimizer.
        schedule: of the learning rate.
        epochs: the problem's own number unless given; likewise `batch_size`.
        form: "table" or "json".

    Raises:
        DefinitionError: a number means nothing, or there is no such coupling or problem.
        DataError: the data are not there, whose number tells the steps.
    """
    coupling, strength = _read(decay)
    if learning_rate is None or not 0 < learning_rate < math.inf:
        raise DefinitionError(f"--learning-rate: must be a positive number. Received: {learning_rate!r}")
    if not 0 <= momentum < 1:
        raise DefinitionError(f"--momentum: must be in [0, 1). Received: {momentum!r}")
    problem = catalog.problem(name)
    length, steps = epochs or problem.epochs, _steps(problem, batch_size or problem.batch_size)
    pace = couplings.pace_of(schedule, length, learning_rate, steps, momentum)
    if coupling == Coupling.TIMESCALE:
        try:
            couplings.strength_of_timescale(strength, pace.peak, steps)
        except ValueError as error:
            raise DefinitionError(f"--decay: {error}") from error
    settings = couplings.converted(coupling, strength, pace)
    if form == "json":
        rows = [{"coupling": one.coupling, "strength": one.strength, "left": one.shrinkage} for one in settings]
        terminal.show_json([row | {"how": one.how} for row, one in zip(rows, settings, strict=True)])
        return
    terminal.show_text(
        f"{name}: {length} epochs of {steps} steps, learning rate {learning_rate:g}, schedule {schedule.title}, "
        f"momentum {momentum:g}"
    )
    rows_shown = [
        (one.coupling, terminal.number(one.strength), terminal.number(one.shrinkage), one.how) for one in settings
    ]
    terminal.show_table(["coupling", "strength", "left of a weight", "how far it is the same"], rows_shown)
    terminal.show_text("\nLeft: by the decay alone, at the end of the run. The strength of timescale is in epochs.")


def _read(decay: str) -> tuple[Coupling, float]:
    word, _, text = decay.partition("=")
    known = [one.value for one in Coupling if one != Coupling.NONE]
    if word not in known:
        raise UnknownNameError("decay coupling", word, known, where="--decay")
    try:
        strength = float(text)
    except ValueError:
        strength = math.nan
    if not 0 < strength < math.inf:
        raise DefinitionError(f"--decay: must be COUPLING=STRENGTH with a positive number. Received: {decay!r}")
    return Coupling(word), strength


def _steps(problem: Problem, batch_size: int) -> int:
    """Steps in an epoch of the usual protocol."""
    from regbench.engine.splits import Batches, load_splits  # it reads the data

    rules = catalog.protocol("deepobs")
    train = load_splits(problem.dataset, rules, None, problem.selection).train
    return Batches(train, batch_size, 0, rules.reshuffle, rules.whole_batches).steps
