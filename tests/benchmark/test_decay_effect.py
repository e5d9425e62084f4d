"""Decays of winners of which nothing is to be seen, and that a search tells of."""

import pytest

from regbench import benchmark
from regbench.benchmark.decay_effect import unseen_decay
from regbench.records import Decay, Outcome


@pytest.fixture
def runs_of(make_task, make_result):
    """Runs of sgd with a decay, one a seed, with what is on record of them."""

    def make(
        coupling="decoupled", strength=0.1, share=0.01, shrinkage=0.5, norms=(1.0, 1.01), losses=(1.0, 1.1), **others
    ):
        task = make_task("digits_mlp")
        made = []
        for seed, (norm, loss) in enumerate([(1.0, 1.0), (1.01, 1.1)]):
            decay = {"decay.coupling": coupling, "decay.strength": strength}
            spec = task.spec({"optimizer.learning_rate": 0.1} | decay, seed)
            run = make_result(spec, train_losses=loss, **others)
            made.append(
                run.model_copy(update={"decay_share": share, "shrinkage": shrinkage, "final_weight_norm": norm})
            )
        return made

    return make


def test_decay_that_did_something_is_not_told_of(runs_of):
    assert unseen_decay(runs_of()) == ""
    assert unseen_decay(runs_of("l2", shrinkage=None, penalty=0.5)) == ""
    assert unseen_decay(runs_of("decoupled_momentum", shrinkage=None)) == ""


def test_nothing_is_told_without_decay_or_of_what_is_not_on_record(runs_of):
    assert unseen_decay([]) == ""
    assert unseen_decay(runs_of("none", 0.0, share=0.0)) == ""
    assert unseen_decay(runs_of(share=None)) == ""
    assert unseen_decay([run.model_copy(update={"outcome": Outcome.DIVERGED}) for run in runs_of(share=0.0)]) == ""


@pytest.mark.parametrize(("coupling", "share"), [("decoupled", 0.0), ("l2", 1e-7)])
def test_decay_below_rounding_is_told_of(coupling, share, runs_of):
    told = unseen_decay(runs_of(coupling, share=share))
    assert told == (
        f"sgd on digits_mlp: the decay of the winner ({coupling}, 0.1) changed nothing that can be measured: "
        "what it takes in a step is below rounding, or the step undoes it"
    )


def test_decay_below_the_spread_of_the_seeds_is_told_of(runs_of):
    told = unseen_decay(runs_of(shrinkage=0.999))  # norms of 1 and 1.01: a deviation of 0.0071
    assert told.endswith(
        "below the seeds' spread: it takes 0.10% of the weights in a run, and their norm differs by 0.70% between seeds"
    )
    assert unseen_decay(runs_of(shrinkage=0.999)[:1]) == ""
    told = unseen_decay(runs_of("l2", shrinkage=None, penalty=0.05))  # losses of 1 and 1.1: a deviation of 0.071
    assert told.endswith("its penalty is 0.05 at the end, and training losses differ by 0.071 between seeds")


OWN = """
import keras


class Plain(keras.optimizers.SGD):
    pass


class KeepsItsOwnWeights(keras.optimizers.SGD):
    # Steps on a copy of the weights, which replaces them: what a decay took of them is back.

    def build(self, variables):
        if not self.built:
            super().build(variables)
            self.copies = self.add_optimizer_variables(variables, "copy")

    def update_step(self, gradient, variable, learning_rate):
        copy = self.copies[self._get_variable_index(variable)]
        self.assign(copy, keras.ops.where(self.iterations == 0, variable, copy))
        self.assign(copy, copy - learning_rate * gradient)
        self.assign(variable, copy)
"""


@pytest.mark.parametrize(
    ("name", "coupling", "is_told"), [("KeepsItsOwnWeights", "decoupled", True), ("Plain", "cautious", False)]
)
def test_search_tells_of_a_planted_decay_that_does_nothing(
    name, coupling, is_told, make_candidate, tmp_path, monkeypatch
):
    (tmp_path / "own_planted_decay.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    optimizer = f"own_planted_decay:{name}"
    candidate = make_candidate(optimizer, decay=Decay(coupling=coupling, strength=1.0), learning_rate=0.1)
    told = []
    (row,) = benchmark.search("digits_mlp", candidate, budget=1, reruns=1, epochs=1, warn=told.append)
    assert any("changed nothing that can be measured" in line for line in told) == is_told
    assert all((run.decay_share == 0.0) == is_told for run in row.runs)
