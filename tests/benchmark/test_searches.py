"""What a search is, and what is on record of it."""

import hashlib
import json

import pytest

from regbench import benchmark, catalog
from regbench.benchmark.searches import Search
from regbench.errors import DefinitionError
from regbench.execution import failed
from regbench.store import manifests
from regbench.store.folder import Folder


def test_trials_have_the_tuning_seed_and_re_runs_the_next_ones():
    search = Search.of("digits_mlp", "sgd", budget=3, reruns=2, seed=7, epochs=1)
    assert [spec.seed for spec in search.trials] == [7, 7, 7]
    rates = [spec.setting["optimizer.learning_rate"] for spec in search.trials]
    assert len(set(rates)) == 3
    again = search.reruns([search.trials[2], search.trials[0]])
    assert [(spec.seed, spec.setting) for spec in again] == [
        (8, search.trials[2].setting),
        (9, search.trials[2].setting),
    ]
    assert search.reruns([]) == []


def test_trials_of_a_sampler_that_learns_are_not_known():
    with pytest.raises(DefinitionError, match="`sampler` must be one whose trials do not depend on"):
        _ = Search.of("digits_mlp", "sgd", budget=3, sampler="tpe").trials


def test_digest_tells_what_determines_a_search_and_nothing_else():
    first = Search.of("digits_mlp", "sgd", budget=3)
    changes = [
        {"budget": 4},
        {"sampler": "qmc"},
        {"seed": 43},
        {"reruns": 3},
        {"epochs": 2},
        {"batch_size": 32},
        {"schedule": "cosine"},
        {"protocol": "strict"},
        {"candidate": "adam"},
        {"problem": "digits_2c2d"},
    ]
    arguments = {"problem": "digits_mlp", "candidate": "sgd", "budget": 3}
    digests = [Search.of(**(arguments | change)).digest for change in changes]
    assert len({first.digest, *digests}) == 1 + len(changes)
    told = catalog.problem("digits_mlp").model_copy(update={"summary": "another", "source": "x", "convergence": 0.5})
    assert Search.of(told, "sgd", budget=3).digest == first.digest


def test_source_of_own_code_is_on_record(tmp_path, monkeypatch):
    module = tmp_path / "own_rates.py"
    module.write_text("def Mine(): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    candidate = catalog.candidate("sgd")
    own = candidate.model_copy(update={"optimizer": candidate.optimizer.model_copy(update={"name": "own_rates:Mine"})})
    search = Search.of("digits_mlp", own, budget=1)
    assert search.sources == {"own_rates:Mine": hashlib.sha256(module.read_bytes()).hexdigest()}
    module.write_text("def Mine(): pass\n")
    assert Search.of("digits_mlp", own, budget=1).digest != search.digest


def test_runs_and_manifest_tell_their_search(tmp_path):
    search = Search.of("quadratic_deep", "sgd", budget=3, reruns=2, epochs=1)
    (standing,) = benchmark.search("quadratic_deep", "sgd", budget=3, reruns=2, epochs=1, results=tmp_path)
    benchmark.run("quadratic_deep", "sgd", setting={"optimizer.learning_rate": 0.5}, epochs=1, results=tmp_path)
    (path,) = manifests.find(tmp_path)
    manifest = manifests.read(path)
    assert path.parent == tmp_path / "quadratic_deep" / "sgd"
    assert manifest.trials == tuple(spec.digest() for spec in search.trials)
    winner = search.trials[manifest.winner]
    assert manifest.again == tuple(spec.digest() for spec in search.reruns([winner]))
    assert manifest.is_complete
    assert (manifest.digest, standing.search) == (search.digest, search.digest)
    assert standing.setting == winner.setting
    told = {}
    for file in tmp_path.rglob("*.json"):
        ours = json.loads(file.read_bytes())["regbench"]
        told[ours["digest"]] = ours["origin"]
    for number, digest in enumerate(manifest.trials):
        assert told.pop(digest) == {
            "role": "trial",
            "number": number,
            "search": search.digest,
            "sampler": "random",
            "seed": 42,
            "budget": 3,
            "sources": {},
        }
    assert [(told[digest]["role"], told.pop(digest)["number"]) for digest in manifest.again] == [
        ("re-run", 0),
        ("re-run", 1),
    ]
    (by_hand,) = told.values()
    assert by_hand["role"] == "by hand"
    assert by_hand["search"] is None


def test_run_belongs_to_every_search_that_found_it(tmp_path):
    benchmark.search("quadratic_deep", "sgd", budget=2, reruns=1, epochs=1, results=tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.json")}
    benchmark.search("quadratic_deep", "sgd", budget=3, reruns=1, epochs=1, results=tmp_path)
    assert {path: path.read_bytes() for path in before} == before
    small, large = sorted((manifests.read(path) for path in manifests.find(tmp_path)), key=lambda one: one.budget)
    assert large.trials[:2] == small.trials
    assert {run.origin.budget for run in Folder(tmp_path).runs()} == {2, 3}


def test_manifest_takes_no_step_back(tmp_path):
    search = Search.of("quadratic_deep", "sgd", budget=2, reruns=1, epochs=1)
    benchmark.search("quadratic_deep", "sgd", budget=2, reruns=1, epochs=1, results=tmp_path)
    (path,) = manifests.find(tmp_path)
    whole = path.read_bytes()
    manifests.write(tmp_path, search.manifest())
    assert path.read_bytes() == whole
    path.write_bytes(whole[:100])
    manifests.write(tmp_path, search.manifest())  # what is there is no manifest
    assert manifests.read(path) == search.manifest()
    benchmark.search("quadratic_deep", "sgd", budget=2, reruns=1, epochs=1, results=tmp_path)
    assert path.read_bytes() == whole


def test_search_with_a_crashed_run_is_not_complete(tmp_path, use_machine, by_score):
    trained = by_score(valid=lambda spec: 0.5)

    def compute(spec):
        return failed(spec, ValueError("no")) if spec.seed == 43 else trained(spec)

    use_machine(compute)
    benchmark.search("digits_mlp", "sgd", budget=2, reruns=2, epochs=1, results=tmp_path)
    (path,) = manifests.find(tmp_path)
    assert not manifests.read(path).is_complete
    assert len(manifests.read(path).again) == 2
