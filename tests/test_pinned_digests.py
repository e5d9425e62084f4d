"""The digest of one run of every bundled problem and candidate: results that exist must be found for ever.

The numbers in pinned_digests.json were taken before runs told their search. A digest may only be added to them, with a
new problem or candidate: a key that a record gets later must leave them as they are (`records.RunSpec.identity`). Where
the default of a class changed (`records.definitions.settled`), the earlier number stands under "before".
"""

import json
from pathlib import Path

import pytest

from regbench import catalog
from regbench.benchmark.tasks import Task, as_in_tree
from regbench.engine.build import build_regularizer
from regbench.records import Decay, Part, Problem, Protocol, Schedule
from regbench.records.runs import ALWAYS_TOLD, without_defaults
from regbench.tuning import tune

PINNED = json.loads(Path(__file__).with_name("pinned_digests.json").read_text())
ROOT = Path(__file__).resolve().parent.parent
SPEC = Task.of("digits_mlp", "sgd").spec({"optimizer.learning_rate": 0.1}, 42)


def digest(task):
    """That of the first of the published points, or of the only one."""
    study = tune.Study(task.candidate, task.problem.goal, "random", 42, 2)
    return task.spec(study.ask(0), 42).digest()


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "testproblems").glob("*.toml")))
def test_digest_of_a_problem_is_pinned(name):
    assert digest(Task.of(name, "momentum")) == PINNED["problems"][name]


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "search_spaces").glob("*.toml")))
def test_digest_of_a_candidate_is_pinned(name):
    assert digest(Task.of("cifar10_3c3d", name, schedule="cosine")) == PINNED["candidates"][name]


@pytest.mark.parametrize("name", sorted(catalog.ALIASES))
def test_run_under_a_former_name_is_the_same_run(name, tmp_path):
    task = Task.of("cifar10_3c3d", name, schedule="cosine")
    assert task.candidate.name == catalog.ALIASES[name] == catalog.candidate(catalog.ALIASES[name]).name
    assert as_in_tree(task, tmp_path) is task
    (tmp_path / "cifar10_3c3d" / name).mkdir(parents=True)
    assert digest(as_in_tree(task, tmp_path)) == PINNED["candidates"][name] != digest(task)
    (tmp_path / "cifar10_3c3d" / task.candidate.name).mkdir()
    assert as_in_tree(task, tmp_path) is task


@pytest.mark.parametrize("name", sorted(PINNED["before"]))
def test_run_that_says_nothing_of_a_later_argument_is_still_one_of_before(name):
    task = Task.of("cifar10_3c3d", name, schedule="cosine")
    study = tune.Study(task.candidate, task.problem.goal, "random", 42, 2)
    spec = task.spec(study.ask(0), 42)
    assert spec.regularizer.arguments["warm_start"] is True
    arguments = {key: value for key, value in spec.regularizer.arguments.items() if key != "warm_start"}
    before = spec.model_copy(update={"regularizer": Part(name="eigenvalue_decay", arguments=arguments)})
    assert before.digest() == PINNED["before"][name] != spec.digest()
    assert build_regularizer(before).warm_start is False


def test_nothing_that_was_pinned_is_gone():
    assert set(PINNED["problems"]) <= set(catalog.problem_names())
    assert set(PINNED["candidates"]) <= {*catalog.candidate_names(), *catalog.ALIASES}


@pytest.mark.parametrize("record", [Problem, Protocol, Decay, Schedule])
def test_key_that_a_record_gets_later_is_told_only_where_it_is_not_at_its_default(record):
    class Later(record):
        added: str | None = None

    plain = getattr(SPEC, record.__name__.lower())
    told = ALWAYS_TOLD.get(record.__name__.lower(), ())
    before = without_defaults(plain.model_dump(mode="json"), plain, told)
    for value, more in ((None, {}), ("given", {"added": "given"})):
        later = Later.model_validate(plain.model_dump() | {"added": value})
        assert without_defaults(later.model_dump(mode="json"), later, told) == before | more
