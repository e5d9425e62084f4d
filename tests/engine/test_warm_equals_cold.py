"""A run in a process that has run others before gives the curves that it has in a fresh process, bit for bit."""

import hashlib
import json
import random
import subprocess
import sys

import pytest

from regbench import catalog
from regbench.engine import program
from regbench.engine.run import run
from regbench.records import Coupling, Decay, Part
from regbench.tuning import draws

COLD = """
import sys
from regbench.engine import program
from regbench.engine.run import run
from regbench.records import RunSpec

for line in sys.stdin:
    program._programs.clear()
    result = run(RunSpec.model_validate_json(line))
    print(result.model_dump_json(include={"curves", "losses_without_penalty"}), flush=True)
"""

SGD = Part(name="sgd", arguments={"learning_rate": 0.01, "momentum": 0.5})
LOOKAHEADS = [{"inner_optimizer": SGD, "sync_period": 2}, {"inner_optimizer": SGD, "sync_period": 5}]
POWERS = [{"inner_optimizer": SGD, "power": 0.5}, {"inner_optimizer": SGD, "power": 0.9}]
DECAYS = [
    {"learning_rate": 0.01, "decay": Decay(coupling=Coupling.DECOUPLED, strength=strength)} for strength in (0.1, 0.5)
]
L2 = [{"learning_rate": 0.01, "decay": Decay(coupling=Coupling.L2, strength=strength)} for strength in (0.1, 0.5)]
PAIRS = {
    "period": ("lookahead", LOOKAHEADS),
    "power": ("signed_power", POWERS),
    "decay": ("adam", DECAYS),
    "l2": ("adam", L2),
}


def digest(result_json):
    table = json.loads(result_json)
    return hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()


def warm_digest(spec):
    return digest(run(spec).model_dump_json(include={"curves", "losses_without_penalty"}))


def cold_digests(specs):
    """Each run for itself, the first one in a process that has run nothing else."""
    lines = "\n".join(spec.model_dump_json() for spec in specs)
    process = subprocess.run([sys.executable, "-c", COLD], input=lines, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    return {spec.digest(): digest(line) for spec, line in zip(specs, process.stdout.splitlines(), strict=True)}


def three_settings(name):
    """Two that differ in what is read from variables only, and one that differs in everything searched."""
    candidate = catalog.candidate(name)
    first, other = draws.points(candidate, seed=42, count=2)
    rate = next((key for key in first if key.endswith(".learning_rate")), "optimizer.d_coef")
    return [first, first | {rate: first[rate] / 3}, other]


@pytest.fixture
def specs_of_candidates(make_task):
    def make(problem, names):
        # An own L2 of the problem, so that those candidates decay which take the factor from there.
        problem = catalog.problem(problem).model_copy(update={"l2": 0.01})
        task = {name: make_task(problem, name, epochs=2) for name in names}
        return {name: [task[name].spec(setting, 42) for setting in three_settings(name)] for name in names}

    return make


def check(cold, order):
    differing = [spec.candidate for spec in order if warm_digest(spec) != cold[spec.digest()]]
    assert not differing


def test_warm_equals_cold_for_problems_that_take_turns(specs_of_candidates):
    specs = [
        *specs_of_candidates("quadratic_deep", ["adam"])["adam"][:2],
        *specs_of_candidates("digits_mlp", ["sgd"])["sgd"][:1],
    ]
    specs.append(specs[-1].model_copy(update={"seed": 43}))
    check(cold_digests(specs), random.Random(1).sample(specs * 2, 2 * len(specs)))


@pytest.mark.slow
def test_warm_equals_cold_for_every_bundled_candidate(specs_of_candidates):
    # Guests need their extras: `tests/guests` has the same of them.
    ours = [name for name in catalog.candidate_names() if ":" not in catalog.candidate(name).optimizer.name]
    names = random.Random(2).sample(ours, len(ours))
    specs = specs_of_candidates("quadratic_deep", names)
    cold = cold_digests([specs[name][0] for name in names])
    random.Random(3).shuffle(names)
    for name in names:
        first, same_program, _ = specs[name]
        of_a_new_program = warm_digest(same_program)
        check(cold, [first])  # by the program that was compiled for another setting
        assert warm_digest(same_program) == of_a_new_program, name


def shallow(problem):
    """The problem with fewer layers and data that are there, for tests that have no time."""
    deep = catalog.problem(problem)
    arguments = deep.model.arguments | ({"units": [16, 16]} if problem == "mnist_deep_mlp" else {})
    return deep.model_copy(update={"dataset": "digits", "model": Part(name=deep.model.name, arguments=arguments)})


@pytest.mark.parametrize("problem", ["mnist_deep_mlp", pytest.param("digits_cnn_sk", marks=pytest.mark.slow)])
def test_warm_equals_cold_for_dropout_and_batch_normalization(problem, make_task):
    task = make_task(shallow(problem), "normalized_adam", epochs=2)
    first, same_program, _ = (task.spec(setting, 42) for setting in three_settings("normalized_adam"))
    other_seed = first.model_copy(update={"seed": 43})
    cold = cold_digests([first, same_program, other_seed])
    assert len(set(cold.values())) == 3
    check(cold, [first, first, other_seed, same_program, first])


@pytest.mark.slow
def test_warm_equals_cold_for_regularizers_of_layers(make_task, make_candidate):
    conv = Part(name="conv_2c2d", arguments={"filters": [3, 4], "units": 8})
    problem = catalog.problem("digits_2c2d").model_copy(update={"model": conv})
    covariance = [[float(row == column) + 0.5 for column in range(25)] for row in range(25)]
    specs = [
        make_task(
            problem,
            make_candidate(
                "sgd",
                learning_rate=0.01,
                regularizer=Part(
                    name="per_layer",
                    arguments={
                        "convolution_1": Part(
                            name="smooth_kernel", arguments={"factor": factor, "covariance": covariance}
                        ),
                        "dense_1": Part(name="eigenvalue_decay", arguments={"factor": factor}),
                    },
                ),
            ),
            epochs=1,
        ).spec({}, seed=42)
        for factor in (0.01, 0.1)
    ]
    cold = cold_digests(specs)
    assert len(set(cold.values())) == 2
    check(cold, [*specs, *specs])


@pytest.mark.slow
def test_warm_equals_cold_where_hyperparameters_have_slots(specs_of_candidates):
    specs = specs_of_candidates("digits_mlp", ["adamw", "momentum", "nadam"])
    cold = cold_digests([spec for of_candidate in specs.values() for spec in of_candidate])
    for first, same_program, other_program in specs.values():
        check(cold, [same_program, first, other_program, first])


@pytest.mark.slow
def test_warm_equals_cold_for_convolutions(specs_of_candidates):
    specs = specs_of_candidates("digits_2c2d", ["sgd", "adamw", "muon"])
    cold = cold_digests([spec for of_candidate in specs.values() for spec in of_candidate])
    for name in ("muon", "sgd", "adamw", "sgd"):
        check(cold, [*specs[name], *reversed(specs[name])])


@pytest.fixture(scope="module")
def pairs_and_cold(make_task, make_candidate):
    """Two specs for each of `PAIRS`, and the digests of them all: one process computes them, each for itself."""
    pairs = {
        what: [make_task(candidate=make_candidate(name, **given), epochs=2).spec({}, seed=42) for given in settings]
        for what, (name, settings) in PAIRS.items()
    }
    return pairs, cold_digests([spec for pair in pairs.values() for spec in pair])


@pytest.mark.slow
@pytest.mark.parametrize("what", PAIRS)
def test_hyperparameters_that_are_variables_act_in_a_program_that_is_used_again(what, pairs_and_cold):
    pairs, cold = pairs_and_cold
    one, other = pairs[what]
    assert cold[one.digest()] != cold[other.digest()]
    check(cold, [one])
    training = latest_training()
    check(cold, [other, one])
    assert latest_training() is training


def latest_training():
    """What was compiled for the optimizer that ran last."""
    return list(list(program._programs)[-1].trainings)[-1]
