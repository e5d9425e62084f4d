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
from regbench.records import Part, RunSpec
from regbench.search import draws, space

COLD = """
import sys
from regbench.engine import program
from regbench.engine.run import run
from regbench.records import RunSpec

for line in sys.stdin:
    program._programs.clear()
    print(run(RunSpec.model_validate_json(line)).model_dump_json(include={"curves", "losses_without_penalty"}), flush=True)
"""

SGD = Part(name="sgd", arguments={"learning_rate": 0.01, "momentum": 0.5})
TUNABLES = {
    "lookahead": [
        {"inner_optimizer": SGD, "sync_period": period, "slow_step_size": size} for period, size in ((2, 0.5), (5, 0.9))
    ],
    "radam": [{"learning_rate": 0.01, "beta_1": beta_1} for beta_1 in (0.9, 0.5)],
    "adabelief": [{"learning_rate": 0.01, "beta_2": beta_2} for beta_2 in (0.9, 0.99)],
    "adabound": [{"learning_rate": 0.01, "final_lr": final_lr} for final_lr in (0.1, 0.5)],
    "signed_power": [{"inner_optimizer": SGD, "power": power} for power in (0.5, 0.9)],
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
    return [first, first | {"optimizer.learning_rate": first["optimizer.learning_rate"] / 3}, other]


@pytest.fixture
def specs_of_candidates(make_task):
    def make(problem, names):
        task = {name: make_task(problem, name, epochs=2) for name in names}
        return {name: [task[name].spec(setting, 42) for setting in three_settings(name)] for name in names}

    return make


def check(cold, order):
    differing = [spec.candidate for spec in order if warm_digest(spec) != cold[spec.digest()]]
    assert not differing


def test_warm_equals_cold_for_what_the_quickstart_runs(specs_of_candidates):
    quadratic = specs_of_candidates("quadratic_deep", ["sgd", "adam"])
    digits = specs_of_candidates("digits_mlp", ["sgd"])
    others = [digits["sgd"][0].model_copy(update={"seed": 43}), digits["sgd"][0].model_copy(update={"batch_size": 32})]
    specs = [*digits["sgd"], *quadratic["sgd"], *quadratic["adam"], *others]
    check(cold_digests(specs), random.Random(1).sample(specs * 2, 2 * len(specs)))


@pytest.mark.slow
@pytest.mark.parametrize("problem", ["quadratic_deep", "digits_mlp"])
def test_warm_equals_cold_for_every_bundled_candidate(problem, specs_of_candidates):
    names = catalog.candidate_names()
    random.Random(2).shuffle(names)
    specs = specs_of_candidates(problem, names)
    cold = cold_digests([spec for of_candidate in specs.values() for spec in of_candidate])
    random.Random(3).shuffle(names)
    for name in names:
        first, same_program, other_program = specs[name]
        check(cold, [same_program, first, same_program, other_program, first])


@pytest.mark.slow
def test_warm_equals_cold_for_convolutions(specs_of_candidates):
    specs = specs_of_candidates("digits_2c2d", ["sgd", "adamw", "muon"])
    cold = cold_digests([spec for of_candidate in specs.values() for spec in of_candidate])
    for name in ("muon", "sgd", "adamw", "sgd"):
        check(cold, [*specs[name], *reversed(specs[name])])


@pytest.mark.slow
def test_warm_equals_cold_for_hyperparameters_that_are_variables(make_task, make_candidate):
    specs = {}
    for name, settings in TUNABLES.items():
        candidates = [make_candidate(name, **arguments) for arguments in settings]
        specs[name] = [make_task(candidate=candidate, epochs=2).spec(space.defaults(candidate), 42) for candidate in candidates]
    cold = cold_digests([spec for of_class in specs.values() for spec in of_class])
    for one, other in specs.values():
        assert cold[one.digest()] != cold[other.digest()]
        check(cold, [other])
        known = set(map(id, program._programs.values())), id(next(iter(program._programs.values()))._trainings)
        check(cold, [one, other, one])
        assert known
