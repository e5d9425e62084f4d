"""The protocol, with a function in place of the trainings: nothing here loads TensorFlow."""

import pytest

from regbench import benchmark, catalog
from regbench.errors import DefinitionError, UnknownNameError
from regbench.execution import Conditions, Workers, failed
from regbench.records import Outcome
from regbench.tuning import draws, tune

RATE = "optimizer.learning_rate"


@pytest.fixture
def search(tmp_path):
    def do(candidates=("sgd",), budget=5, **options):
        return benchmark.search("digits_mlp", candidates, budget=budget, epochs=2, results=tmp_path, **options)

    return do


def rate(spec):
    return spec.setting[RATE]


def rows(standings):
    return [standing.model_dump() for standing in standings]


def points(budget, name="sgd"):
    return draws.points(catalog.candidate(name), 42, budget)


def low_rate_validates_best(spec):
    return 1 - rate(spec)


def test_winner_is_the_best_by_validation_and_is_run_with_the_next_nine_seeds(use_machine, by_score, search):
    machine = use_machine(by_score(valid=low_rate_validates_best, test=rate))
    (standing,) = search()
    settings = points(5)
    winner = min(settings, key=lambda setting: setting[RATE])
    assert standing.setting == winner
    assert standing.seeds == list(range(42, 52))
    assert [(spec.setting, spec.seed) for spec in machine.computed] == [
        *((setting, 42) for setting in settings),
        *((winner, seed) for seed in range(43, 52)),
    ]


def test_winner_under_deepobs_1_1_is_the_best_on_the_test_set(use_machine, by_score, search):
    use_machine(by_score(valid=low_rate_validates_best, test=rate))
    (standing,) = search(protocol="deepobs-1.1")
    assert standing.setting == max(points(5), key=lambda setting: setting[RATE])
    assert standing.seeds == list(range(42, 52))
    assert (standing.valid_mean, standing.valid_sd) == (None, None)


def test_strict_reports_ten_seeds_that_were_not_used_in_tuning(use_machine, by_score, search):
    use_machine(by_score(valid=low_rate_validates_best))
    (standing,) = search(protocol="strict")
    assert standing.seeds == list(range(43, 53))


def test_winner_without_re_runs_stands_with_its_tuning_seed(use_machine, by_score, search):
    use_machine(by_score(valid=low_rate_validates_best))
    for protocol in ("deepobs", "strict"):
        (standing,) = search(protocol=protocol, reruns=0)
        assert standing.seeds == [42]
        assert standing.test_sd is None


def test_seed_of_the_search_is_that_of_draws_trials_and_re_runs(use_machine, by_score, search):
    machine = use_machine(by_score(valid=low_rate_validates_best))
    (standing,) = search(seed=7, reruns=2)
    assert standing.seeds == [7, 8, 9]
    assert [spec.setting for spec in machine.computed[:5]] == draws.points(catalog.candidate("sgd"), 7, 5)


def test_second_call_runs_nothing_and_finds_the_same(use_machine, by_score, search):
    run = by_score(valid=low_rate_validates_best, test=rate)
    use_machine(run)
    first = search(["sgd", "momentum"])
    machine = use_machine(run)
    assert rows(search(["sgd", "momentum"])) == rows(first)
    assert machine.computed == []


@pytest.mark.parametrize("digests", [("", "sha256:a"), ("sha256:a", "sha256:a"), ("sha256:a", "sha256:b")])
def test_runs_on_different_data_of_a_cluster_are_told(digests, use_machine, by_score, search, tmp_path):
    run = by_score(valid=low_rate_validates_best)
    workers = Workers(cluster="tcp://nowhere:1")  # which has data of its own
    warnings = []
    for budget, digest in zip((2, 3), digests, strict=True):
        machine = use_machine(lambda spec, digest=digest: run(spec).model_copy(update={"data_digest": digest}))
        machine.conditions = Conditions(data_are_elsewhere=True)
        search(budget=budget, warn=warnings.append, workers=workers)
    told = f"{tmp_path}: runs of sgd on digits_mlp were made on different data (digits); for other data use another"
    assert [line.removesuffix(" results tree") for line in warnings] == ([told] if len({*digests} - {""}) > 1 else [])


def test_larger_budget_runs_what_is_missing(use_machine, by_score, search):
    run = by_score(valid=low_rate_validates_best)
    use_machine(run)
    search(budget=5)
    machine = use_machine(run)
    search(budget=8)
    assert [spec.setting for spec in machine.computed if spec.seed == 42] == points(8)[5:]


def test_diverged_trial_is_told_the_score_of_guessing_and_never_wins(use_machine, make_result, search, monkeypatch):
    told = []
    tell = tune.Study.tell
    monkeypatch.setattr(tune.Study, "tell", lambda self, *came: (told.append(came[2]), tell(self, *came))[-1])
    worst = max(points(4), key=lambda setting: setting[RATE])

    def run(spec):
        # What is stored of the diverged run, its value before training, would win.
        is_worst = spec.setting == worst
        outcome = Outcome.DIVERGED if is_worst else Outcome.COMPLETED
        return make_result(spec, outcome, valid_accuracies=0.99 if is_worst else 0.05, test_accuracies=0.5)

    use_machine(run)
    (standing,) = search(budget=4)
    assert standing.setting != worst
    assert standing.diverged_trials == 1
    assert told == [0.1 if setting == worst else 0.05 for setting in points(4)]


def test_where_all_trials_diverge_nobody_wins_and_nothing_is_run_again(use_machine, make_result, search):
    machine = use_machine(lambda spec: make_result(spec, Outcome.DIVERGED, valid_accuracies=0.9, test_accuracies=0.9))
    (standing,) = search(budget=3)
    assert len(machine.computed) == 3
    assert (standing.setting, standing.decay, standing.seeds, standing.runs) == (None, None, [], [])
    assert (standing.test_mean, standing.test_sd, standing.valid_mean) == (None, None, None)
    assert (standing.trials, standing.diverged_trials, standing.unfinished) == (3, 3, 0)


def test_first_of_equals_wins(use_machine, by_score, search):
    use_machine(by_score(valid=lambda spec: 0.9))
    (standing,) = search()
    assert standing.setting == points(5)[0]


def test_equal_settings_are_one_run(use_machine, by_score, search, tmp_path, monkeypatch):
    (tmp_path / "search_spaces").mkdir()
    (tmp_path / "search_spaces" / "two.toml").write_text(
        'summary = ""\nsource = ""\n[optimizer]\nname = "sgd"\nlearning_rate = 0.1\nmomentum = { choices = [0.0, 0.9] }'
    )
    monkeypatch.chdir(tmp_path)
    machine = use_machine(by_score(valid=lambda spec: spec.setting["optimizer.momentum"]))
    seen = []
    (standing,) = search(["two"], budget=6, reruns=1, progress=seen.append)
    assert [(event.phase, event.done) for event in seen][5:] == [("trials", 6), ("re-runs", 1)]
    assert standing.setting == {"optimizer.momentum": 0.9}
    assert standing.trials == 6
    assert sorted((spec.setting["optimizer.momentum"], spec.seed) for spec in machine.computed) == [
        (0.0, 42),
        (0.9, 42),
        (0.9, 43),
    ]


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.TIMED_OUT])
def test_trial_that_was_not_finished_never_wins(outcome, use_machine, by_score, make_result, search):
    best = max(points(5), key=lambda setting: setting[RATE])
    good = by_score(valid=rate)

    def run(spec):
        if spec.setting != best:
            return good(spec)
        if outcome == Outcome.FAILED:
            return failed(spec, RuntimeError("crashed"))
        return make_result(spec, outcome, valid_accuracies=1.0, test_accuracies=1.0)

    use_machine(run)
    (standing,) = search()
    assert standing.setting == sorted(points(5), key=lambda setting: setting[RATE])[-2]
    assert (standing.trials, standing.unfinished, standing.diverged_trials) == (5, 1, 0)


def test_run_that_failed_is_tried_again_by_the_next_call(use_machine, by_score, search):
    settings = points(5)
    good = by_score(valid=low_rate_validates_best)
    use_machine(lambda spec: failed(spec, RuntimeError("no memory")) if spec.setting == settings[2] else good(spec))
    assert search(reruns=1)[0].unfinished == 1
    machine = use_machine(good)
    assert search(reruns=1)[0].unfinished == 0
    assert [spec.setting for spec in machine.computed] == [settings[2]]


def test_budget_of_one_trial_runs_the_defaults(use_machine, by_score, search):
    for sampler in ("random", "tpe", "qmc", "grid"):
        machine = use_machine(by_score(valid=rate))
        (standing,) = search(["momentum"], budget="one_shot", sampler=sampler, reruns=0)
        assert standing.setting == {RATE: 0.01, "optimizer.momentum": 0.99}
        assert len(machine.computed) == (1 if sampler == "random" else 0)


@pytest.mark.parametrize("sampler", ["random", "tpe", "qmc"])
def test_trials_do_not_depend_on_which_run_ends_first(sampler, use_machine, by_score, search, tmp_path):
    asked = []
    for shuffle_seed in (1, 2):
        machine = use_machine(by_score(valid=rate), capacity=3, shuffle_seed=shuffle_seed)
        search(["momentum"], budget=14, sampler=sampler, reruns=0)
        asked.append([spec.setting for spec in machine.computed])
        for path in tmp_path.rglob("*.json"):
            path.unlink()
    assert asked[0] == asked[1]
    assert len(asked[0]) == 14


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_interrupted_search_goes_on_where_it_stopped(sampler, use_machine, by_score, search, tmp_path):
    run = by_score(valid=rate)
    whole = use_machine(run, capacity=2)
    expected = search(["momentum"], budget=14, sampler=sampler, reruns=2)
    for path in tmp_path.rglob("*.json"):
        path.unlink()

    finished = []

    def stopping(spec):
        if len(finished) == 5:
            raise KeyboardInterrupt
        finished.append(spec)
        return run(spec)

    use_machine(stopping, capacity=2)
    with pytest.raises(KeyboardInterrupt):
        search(["momentum"], budget=14, sampler=sampler, reruns=2)
    rest = use_machine(run, capacity=2)
    assert rows(search(["momentum"], budget=14, sampler=sampler, reruns=2)) == rows(expected)
    digests = [spec.digest() for spec in finished + rest.computed]
    assert sorted(digests) == sorted(spec.digest() for spec in whole.computed)
    assert len(set(digests)) == len(digests)


def test_candidates_are_ranked_by_the_mean_on_the_test_set(use_machine, by_score, search):
    test = {"sgd": 0.7, "momentum": 0.9, "adam": 0.8}
    use_machine(by_score(valid=rate, test=lambda spec: test[spec.candidate]))
    assert [standing.candidate for standing in search(list(test))] == ["momentum", "adam", "sgd"]


def test_candidate_that_is_named_twice_is_searched_once(use_machine, by_score, search):
    use_machine(by_score(valid=rate))
    assert [standing.candidate for standing in search(["sgd", "sgd"])] == ["sgd"]


def test_every_run_is_reported_with_its_number(use_machine, by_score, search):
    def events():
        seen = []
        search(budget=3, reruns=2, progress=seen.append)
        return [(event.candidate, event.phase, event.done, event.total, event.was_found) for event in seen]

    use_machine(by_score(valid=rate))
    numbers = [("trials", 1, 3), ("trials", 2, 3), ("trials", 3, 3), ("re-runs", 1, 2), ("re-runs", 2, 2)]
    assert events() == [("sgd", *number, False) for number in numbers]
    assert events() == [("sgd", *number, True) for number in numbers]


def test_runs_that_are_found_are_scored_as_the_problem_says_now(use_machine, make_result, tmp_path, monkeypatch):
    def run(spec):
        values = {name: rate(spec) for name in ("valid_accuracies", "test_accuracies", "valid_losses", "test_losses")}
        return make_result(spec, **values)

    use_machine(run)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "testproblems").mkdir()
    text = (catalog.data_folder("testproblems") / "digits_mlp.toml").read_text()
    file = tmp_path / "testproblems" / "mine.toml"
    chosen = []
    for changed in (text, text.replace('"accuracy"', '"loss"').replace('"maximize"', '"minimize"')):
        file.write_text(changed)
        (standing,) = benchmark.search(
            "mine", ["sgd"], budget=5, epochs=2, reruns=0, results=tmp_path / "results", fresh=True
        )
        chosen.append((standing.setting[RATE], standing.metric, standing.goal))
    rates = [setting[RATE] for setting in points(5)]
    assert chosen == [(max(rates), "accuracy", "maximize"), (min(rates), "loss", "minimize")]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"candidates": []}, DefinitionError, "A search needs at least one candidate"),
        ({"candidates": ["sdg"]}, UnknownNameError, "There is no candidate `sdg`"),
        ({"budget": "huge"}, UnknownNameError, "There is no budget `huge`"),
        ({"sampler": "rndom"}, UnknownNameError, "There is no sampler `rndom`"),
        ({"protocol": "fair"}, UnknownNameError, "There is no protocol `fair`"),
        ({"schedule": "cosin"}, UnknownNameError, "There is no schedule `cosin`"),
        ({"seed": -1}, DefinitionError, "`seed` must be from 0"),
        ({"seed": 2**31}, DefinitionError, "`seed` must be from 0"),
        ({"reruns": -1}, DefinitionError, "`reruns` must not be negative. Received: reruns=-1"),
        ({"batch_size": 0}, DefinitionError, "`batch_size` must be at least 1. Received: batch_size=0"),
        ({"sampler": "grid", "budget": 3, "candidates": ["adam"]}, DefinitionError, "A grid over"),
    ],
)
def test_bad_input_shows_before_the_first_run(options, error, message, use_machine, by_score, search):
    machine = use_machine(by_score(valid=rate))
    with pytest.raises(error, match=message):
        search(**options)
    assert machine.computed == []


def test_epochs_must_be_positive():
    with pytest.raises(DefinitionError, match=r"`epochs` must be at least 1\. Received: epochs=0"):
        benchmark.search("digits_mlp", ["sgd"], epochs=0)


def test_records_are_judged_like_files(make_candidate):
    with pytest.raises(DefinitionError, match=r"^mine: optimizer\.momentum: must be in \[0, 1\)\. Received: 1\.5$"):
        benchmark.search("digits_mlp", [make_candidate("sgd", momentum=1.5)])
    contradictory = catalog.problem("digits_mlp").model_copy(update={"goal": "minimize"})
    with pytest.raises(DefinitionError, match=r"^digits_mlp: goal: must be maximize"):
        benchmark.search(contradictory, ["sgd"])
