"""Results trees as searches leave them, and as others publish them."""

import json

import pytest

from regbench.records import Outcome
from regbench.store.folder import Folder
from regbench.tuning import draws, tune

EPOCHS = 3
TRIALS = 12
ENDINGS = {3: Outcome.DIVERGED, 5: Outcome.TIMED_OUT, 7: Outcome.FAILED}
RERUNS = 3


@pytest.fixture
def search(tmp_path, make_task, make_result):
    """Writes a search into `tmp_path / "tree"`; gives its results: the trials in their order, then the re-runs.

    The score rises with the learning rate, trial 3 diverged, 5 timed out and 7 failed. `shuffled`: the times of the
    files are not in the order of the trials.
    """

    def write(problem="digits_mlp", candidate="sgd", trials=TRIALS, endings=ENDINGS, shuffled=False, **options):
        task = make_task(problem, candidate, epochs=EPOCHS, **options)
        specs = [task.spec(setting, 42) for setting in draws.points(task.candidate, 42, trials)]
        results = [_result(make_result, spec, endings.get(number)) for number, spec in enumerate(specs)]
        winner = specs[tune.best(results, task.problem.goal)]
        again = [_result(make_result, task.spec(winner.setting, seed)) for seed in range(43, 43 + RERUNS)]
        written = [*reversed(results), *again] if shuffled else [*results, *again]
        folder = Folder(tmp_path / "tree")
        for second, result in enumerate(written):
            path = folder.write(result)
            path.rename(path.with_name(f"random_seed__{result.spec.seed}__2026-01-01-00-00-{second:02}{path.suffix}"))
        return [*results, *again]

    return write


def _result(make_result, spec, outcome=None):
    rate = spec.setting["optimizer.learning_rate"]
    score = rate / (1 + rate) + spec.seed / 1e4
    values = {
        f"{split}_{name}": (score + place) / 4  # an accuracy is at most 1
        for place, split in enumerate(("train", "valid", "test"))
        for name in ("losses", "accuracies")
        if (split != "valid" or spec.protocol.validation) and (name == "losses" or spec.problem.has_accuracy)
    }
    result = make_result(spec, outcome or Outcome.COMPLETED, seconds=1.5, penalty=0.25, **values)
    cut = {}
    if outcome == Outcome.TIMED_OUT:
        cut = {
            "curves": {name: curve[:2] for name, curve in result.curves.items()},
            "losses_without_penalty": {name: curve[:2] for name, curve in result.losses_without_penalty.items()},
        }
    reason = {} if outcome is None else {"reason": f"it {outcome.value}"}
    diverged = {"diverged_epoch": 2} if outcome == Outcome.DIVERGED else {}
    return result.model_copy(update=cut | reason | diverged)


@pytest.fixture
def tree(tmp_path):
    return tmp_path / "tree"


@pytest.fixture
def foreign(tree):
    """Writes runs of others, of 2 epochs: a learning rate, the final validation accuracy and the seed of each."""

    def write(*runs, problem="their_problem", **changes):
        for number, (rate, accuracy, seed) in enumerate(runs):
            curve = [0.125, 0.25, accuracy]
            table = {
                "testproblem": problem,
                "batch_size": 128,
                "num_epochs": 2,
                "random_seed": seed,
                "weight_decay": None,
                "optimizer_name": "TheirOptimizer",
                "optimizer_hyperparams": {"learning_rate": rate, "momentum": 0.9, "betas": [0.9, 0.99], "mask": None},
                "training_params": {},
                **{f"{split}_accuracies": curve for split in ("train", "valid", "test")},
                **{f"{split}_losses": [2.0, 1.5, 1.0 + number / 16] for split in ("train", "valid", "test")},
            } | changes
            folder = tree / problem / "TheirOptimizer" / str(rate)
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"random_seed__{seed}__2020-01-01-00-00-{number:02}.json"
            path.write_text(json.dumps(table))

    return write
