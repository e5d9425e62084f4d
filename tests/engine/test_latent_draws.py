"""Networks that draw in evaluations too: the draws come from the seed of the run alone."""

import pytest

from regbench import catalog
from regbench.benchmark.tasks import Task
from regbench.engine import program
from regbench.engine.run import run
from regbench.records import Part

SMALL = Part(name="vae", arguments={"filters": 2, "latent": 2, "units": 4})


def spec(seed: int, learning_rate: float = 0.01):
    small = catalog.problem("digits_mlp").model_copy(
        update={"model": SMALL, "loss": "model_output", "metric": "loss", "goal": "minimize", "chance": 20.0}
    )
    made = Task.of("digits_mlp", "sgd").spec({"optimizer.learning_rate": learning_rate}, seed)
    return made.model_copy(update={"problem": small, "epochs": 2})


@pytest.fixture(scope="module")
def cold():
    program.forget()
    return run(spec(42)).curves


def test_run_in_a_process_that_ran_others_gives_the_same_curves(cold) -> None:
    other = run(spec(43)).curves
    assert other["test_losses"] != cold["test_losses"]
    assert run(spec(42)).curves == cold


def test_every_evaluation_draws_anew() -> None:
    # Weights of size 0.1 do not move by 1e-12; the loss of a split moves with what was drawn.
    losses = run(spec(42, learning_rate=1e-12)).curves["test_losses"]
    assert len(set(losses)) == 3
    assert max(losses) - min(losses) < 0.01 * losses[0]
