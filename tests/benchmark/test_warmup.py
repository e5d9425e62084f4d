"""A warm-up that a candidate fixes or searches."""

import json

import pytest

from regbench import catalog
from regbench.benchmark.tasks import Task
from regbench.benchmark.trying import check_candidate
from regbench.errors import DefinitionError
from regbench.records import Candidate, Range
from regbench.store import deepobs
from regbench.trees.dialects import our_definition
from regbench.tuning import space

RATE = {"optimizer.learning_rate": 0.1}
SEARCHED = Range(low=0.01, high=0.2, log=True, default=0.05)


@pytest.fixture
def spec_of(make_candidate):
    def make(warmup, setting, schedule="wsd"):
        candidate = make_candidate("sgd", learning_rate=0.1).model_copy(update={"warmup": warmup})
        return Task.of("digits_mlp", candidate, schedule=schedule).spec(setting, 42)

    return make


def word_of(spec, make_result):
    """The schedule and the hyperparameters of a run, as its file tells them."""
    table = json.loads(deepobs.write_json(make_result(spec, test_accuracies=0.5, valid_accuracies=0.5)))
    definition = our_definition(table, table["regbench"])
    return (
        definition.schedule,
        definition.hyperparameters.get("schedule.warmup"),
        table["training_params"]["lr_schedule"],
    )


def test_warm_up_of_a_candidate_is_that_of_its_runs(spec_of, make_result):
    assert spec_of(None, {}).schedule.warmup == 0.05
    fixed, searched = spec_of(0.1, {}), spec_of(SEARCHED, {"warmup": 0.1})
    assert fixed.schedule == searched.schedule == catalog.schedule("wsd", warmup=0.1)
    assert fixed.digest() == searched.digest()  # one training
    assert word_of(fixed, make_result) == ("wsd 0.1", None, "wsd 0.1")
    assert word_of(searched, make_result) == ("wsd", 0.1, "wsd")  # of one entry, with other hyperparameters


def test_searched_warm_up_is_drawn_and_may_be_overridden(make_candidate):
    candidate = make_candidate("sgd", learning_rate=0.1).model_copy(update={"warmup": SEARCHED})
    assert candidate.searched() == {"warmup": SEARCHED}
    assert space.defaults(candidate) == {"warmup": 0.05}
    assert space.override(candidate, {"warmup": 0.2}).warmup == 0.2


def test_candidate_with_a_warm_up_needs_a_schedule_that_has_one(spec_of, make_candidate):
    with pytest.raises(DefinitionError, match="mine: warmup: needs one of the schedules warmup_cosine"):
        spec_of(0.1, {}, "cosine")
    check_candidate(make_candidate("sgd", learning_rate=0.1).model_copy(update={"warmup": SEARCHED}))


@pytest.mark.parametrize("warmup", [1.0, -0.1, Range(low=0.5, high=1.5)])
def test_warm_up_that_is_no_share_is_refused(warmup, make_candidate):
    table = make_candidate("sgd", learning_rate=0.1).model_dump() | {"warmup": warmup}
    with pytest.raises(ValueError, match=r"must be in .0, 1., a share of all steps"):
        Candidate.model_validate(table)
