"""The budget large: medium's trials, then 25 between their best ones; and how it is recorded and found again."""

import pytest

import regbench
from regbench.benchmark import planning
from regbench.benchmark.searches import Search
from regbench.errors import DefinitionError
from regbench.records import Manifest
from regbench.store import manifests

RATE = "optimizer.learning_rate"


@pytest.fixture
def machine(use_machine, make_result):
    """Computes nothing: the loss is the distance of the rate to 0.01, the accuracy is best far from it."""

    def run(spec):
        distance = abs(spec.setting[RATE] - 0.01)
        losses = {f"{split}_losses": distance for split in ("train", "valid", "test")}
        accuracies = {f"{split}_accuracies": min(distance, 1.0) for split in ("train", "valid", "test")}
        return make_result(spec, **losses, **accuracies)

    return use_machine(run)


def search(folder, **options):
    return regbench.search("digits_mlp", "sgd", reruns=1, results=folder, baselines="none", **options)


def rates(machine):
    return [spec.setting[RATE] for spec in machine.computed if spec.seed == 42]


def test_later_trials_are_drawn_from_the_first_by_their_loss(machine, tmp_path):
    (standing,) = search(tmp_path, budget="large")
    best = sorted(rates(machine)[:50], key=lambda rate: abs(rate - 0.01))[:10]
    later = rates(machine)[50:]
    assert len(later) == 25
    assert min(best) <= min(later) <= max(later) <= max(best)
    assert (standing.sampler, standing.budget, standing.trials) == ("narrowed", 75, 75)
    (manifest,) = (manifests.read(path) for path in manifests.find(tmp_path))
    assert manifest.ranges == {RATE: (min(best), max(best))}
    assert len(manifest.trials) == 75


def test_search_goes_on_where_it_was_interrupted_and_medium_is_its_beginning(machine, tmp_path):
    search(tmp_path, budget="medium")
    before = len(machine.computed)
    search(tmp_path, budget="large")
    assert len([spec for spec in machine.computed[before:] if spec.seed == 42]) == 25
    path = next(path for path in manifests.find(tmp_path) if manifests.read(path).budget == 75)
    content = path.read_bytes()
    path.unlink()
    before = len(machine.computed)
    search(tmp_path, budget="large")
    assert len(machine.computed) == before
    assert path.read_bytes() == content


def test_75_trials_of_the_full_space_are_another_search(machine, tmp_path):
    search(tmp_path, budget=75)
    assert Search.of("digits_mlp", "sgd", budget=75).sampler == "random"
    assert Search.of("digits_mlp", "sgd", budget=75).digest != Search.of("digits_mlp", "sgd", budget="large").digest
    (note,) = regbench.compare(results=[tmp_path], baselines="none").table["note"]
    assert "75 trials of the full space, not the published budget large" in note


def test_plan_knows_the_later_trials_when_the_first_are_there(machine, tmp_path):
    def planned():
        (one,) = planning.plan("digits_mlp", "sgd", budget="large", results=tmp_path, baselines="none", reruns=1)
        return len(one.runs), one.trials_to_come, one.reruns_to_come

    assert planned() == (50, 25, 1)
    search(tmp_path, budget="medium")
    assert planned() == (75, 0, 1)
    search(tmp_path, budget="large")
    assert planned() == (76, 0, 0)


def test_given_ranges_are_part_of_what_a_search_is(machine, tmp_path):
    file = tmp_path / "ranges.toml"
    file.write_text("[sgd]\noptimizer.learning_rate = [0.2, 0.3]\n")
    search(tmp_path / "results", budget="large", ranges=file)
    assert all(0.2 <= rate <= 0.3 for rate in rates(machine)[50:])
    (manifest,) = (manifests.read(path) for path in manifests.find(tmp_path / "results"))
    assert manifest.ranges == {RATE: (0.2, 0.3)}
    own, given = (Search.of("digits_mlp", "sgd", budget="large", ranges=one) for one in (None, file))
    assert own.digest != given.digest


@pytest.mark.parametrize("options", [{"budget": 75}, {"budget": "medium"}, {"budget": "large", "sampler": "tpe"}])
def test_ranges_belong_to_the_budget_large(tmp_path, options):
    with pytest.raises(DefinitionError, match="`ranges`"):
        search(tmp_path / "results", ranges="published", **options)
    assert not (tmp_path / "results").exists()


def test_record_that_was_written_before_there_were_ranges_is_whole(tmp_path):
    """Its checksum is one of all keys, and was taken by the version of then: a key more would change it."""
    digests = {"digest": "1" * 64, "problem_digest": "3" * 64, "space_digest": "4" * 64}
    of_search = {"problem": "digits_mlp", "candidate": "sgd", "sampler": "random", "schedule": "none"}
    numbers = {"budget": 2, "seed": 42, "reruns": 9, "epochs": 3, "batch_size": 64}
    manifest = Manifest(protocol="deepobs", **digests, **of_search, **numbers)
    manifests.write(tmp_path, manifest)
    (path,) = manifests.find(tmp_path)
    text = path.read_text()
    assert "d404b15ed006d35867bf925b0da707d45617a72a9c69e594f2bd203f8fa77ec4" in text
    assert "ranges" not in text
    assert manifests.read(path) == manifest
