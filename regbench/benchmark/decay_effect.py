"""Whether the decay of a winner has changed anything that can be measured."""

from collections.abc import Sequence

import numpy as np

from regbench.records import Coupling, Outcome, RunResult

ROUNDING = float(np.finfo(np.float32).eps)


def unseen_decay(runs: Sequence[RunResult]) -> str:
    """What to tell of a decay that did nothing that can be seen; empty where it did, or where that is not on record.

    Args:
        runs: of the winner, with its seeds; those that did not complete say nothing.
    """
    completed = [run for run in runs if run.outcome == Outcome.COMPLETED and run.decay_share is not None]
    if not completed:
        return ""
    spec = completed[0].spec
    if spec.decay.coupling == Coupling.NONE or spec.decay_strength == 0:
        return ""
    reason = _lost(completed) or _below_spread(completed)
    return reason and (
        f"{spec.candidate} on {spec.problem.name}: the decay of the winner ({spec.decay.coupling.value}, "
        f"{spec.decay_strength:.4g}) changed nothing that can be measured: {reason}"
    )


def _lost(runs: Sequence[RunResult]) -> str:
    """By the share that it has in all changes, which counts what is left after rounding."""
    largest = max(run.decay_share or 0.0 for run in runs)
    least = ROUNDING if runs[0].spec.decay.coupling == Coupling.L2 else 0.0
    return "" if largest > least else "what it takes in a step is below rounding, or the step undoes it"


def _below_spread(runs: Sequence[RunResult]) -> str:
    """By what it can have done at most, beside how far the seeds are apart."""
    if len(runs) < 2:
        return ""
    if runs[0].spec.decay.coupling == Coupling.L2:
        losses = [run.losses_without_penalty["train_losses"][-1] for run in runs]
        penalty = max(run.curves["train_losses"][-1] - loss for run, loss in zip(runs, losses, strict=True))
        spread = float(np.std(losses, ddof=1))
        # A minimum of loss and penalty has a loss that is greater by the penalty at most.
        what = f"its penalty is {penalty:.2g} at the end, and training losses differ by {spread:.2g} between seeds"
        return f"below the seeds' spread: {what}" if penalty < spread else ""
    norms = [run.final_weight_norm for run in runs if run.final_weight_norm]
    shrinkages = [run.shrinkage for run in runs if run.shrinkage is not None]
    if len(norms) < 2 or not shrinkages:
        return ""
    taken, spread = 1 - min(shrinkages), float(np.std(norms, ddof=1) / np.mean(norms))
    what = f"it takes {taken:.2%} of the weights in a run, and their norm differs by {spread:.2%} between seeds"
    return f"below the seeds' spread: {what}" if taken < spread else ""
