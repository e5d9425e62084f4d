"""The trials after the 50th of the budget large: drawn between the extremes of the ten best."""

import pytest

from regbench import catalog
from regbench.errors import DefinitionError
from regbench.records import Candidate, Choices, Part, Range
from regbench.tuning import draws, narrowing, tune

RATE = "optimizer.learning_rate"


def candidate_of(**arguments):
    return Candidate(name="mine", summary="", source="", optimizer=Part(name="sgd", arguments=arguments))


def study_of(candidate, trials=75, **options):
    return tune.Study(candidate, "minimize", "narrowed", 42, trials, **options)


# The first and the last of the 25 published points of each, as they follow from the ends of their ranges.
PUBLISHED = {
    "sgd": ({RATE: 0.004353196364544338}, {RATE: 0.005520329074111108}),
    "momentum": (
        {RATE: 0.001606522569561132, "optimizer.momentum": 0.4835226034727994},
        {RATE: 0.0034341379231839246, "optimizer.momentum": 0.9792250441314289},
    ),
    "adam": (
        {RATE: 0.0136209693168823, "optimizer.beta_1": 0.9451087312994312, "optimizer.beta_2": 0.9278752600192841},
        {RATE: 0.0014257051405884352, "optimizer.beta_1": 0.8664141588103222, "optimizer.beta_2": 0.9234903095166354},
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_ranges_replay(name):
    candidate = catalog.candidate(name)
    ranges = catalog.read_ranges("published", candidate, "quadratic_deep", "none")
    study = study_of(candidate, ranges=ranges)
    assert study.is_known_in_advance
    points = [study.ask(trial) for trial in range(75)]
    assert points[:50] == draws.points(candidate, 42, 50)
    for point, published in zip((points[50], points[74]), PUBLISHED[name], strict=True):
        assert point == pytest.approx(published, rel=1e-9)


@pytest.mark.parametrize("name", PUBLISHED)
def test_ends_of_published_ranges_are_values_of_the_first_trials(name):
    """As they are given in print, to six digits."""
    printed = {
        ("sgd", RATE): (1.46190e-3, 2.69265e-2),
        ("momentum", RATE): (3.07718e-4, 2.53782e-2),
        ("momentum", "optimizer.momentum"): (0.0095655, 0.635122),
        ("adam", RATE): (1.37836e-3, 0.624514),
        ("adam", "optimizer.beta_1"): (0.512964, 0.975529),
        ("adam", "optimizer.beta_2"): (0.808316, 0.975942),
    }
    points = draws.points(catalog.candidate(name), 42, 50)
    for key, ends in catalog.read_ranges("published", catalog.candidate(name), "quadratic_deep", "none").items():
        drawn = [1 - point[key] if key == "optimizer.momentum" else point[key] for point in points]
        assert ends == pytest.approx(printed[name, key], rel=1e-5)
        assert all(min(abs(value / end - 1) for value in drawn) < 1e-12 for end in ends)


def tell_all(study, loss_of, numbers):
    for number in numbers:
        setting = study.ask(number)
        study.tell(number, setting, 0.0, loss_of(setting))


def test_later_trials_lie_between_the_ten_best_of_the_first_by_loss():
    study = study_of(catalog.candidate("momentum"))
    assert not study.is_known_in_advance
    assert study.rounds(4) == [range(50), range(50, 75)]
    tell_all(study, lambda setting: abs(setting[RATE] - 0.01), range(50))
    first = [study.ask(number) for number in range(50)]
    best = sorted(first, key=lambda setting: abs(setting[RATE] - 0.01))[:10]
    later = [study.ask(number) for number in range(50, 75)]
    for name in (RATE, "optimizer.momentum"):
        values = [setting[name] for setting in best]
        assert min(values) <= min(setting[name] for setting in later)
        assert max(setting[name] for setting in later) <= max(values)
    assert study.ranges[RATE] == (min(one[RATE] for one in best), max(one[RATE] for one in best))


def test_it_does_not_matter_in_which_order_trials_are_told():
    asked = []
    for numbers in (range(50), range(49, -1, -1)):
        study = study_of(catalog.candidate("adam"))
        tell_all(study, lambda setting: setting[RATE], numbers)
        asked.append([study.ask(number) for number in range(50, 75)])
    assert asked[0] == asked[1]


def test_trials_without_a_loss_are_not_among_the_best():
    study = study_of(catalog.candidate("sgd"))
    tell_all(study, lambda setting: None if setting[RATE] < 0.01 else setting[RATE], range(50))
    assert study.ranges is None
    assert study.ask(50)[RATE] >= 0.01


def test_where_no_trial_has_a_loss_the_range_stays():
    study = study_of(catalog.candidate("sgd"))
    tell_all(study, lambda _: float("nan"), range(50))
    assert [study.ask(number) for number in range(50, 75)] == draws.points(catalog.candidate("sgd"), 42, 25)


def test_whole_numbers_and_choices_are_narrowed_to_what_the_best_have():
    candidate = candidate_of(k=Range(low=1.0, high=19.0, integer=True), kind=Choices(choices=("x", "y", "z")))
    trials = [({"optimizer.k": 3 + number % 3, "optimizer.kind": "zx"[number % 2]}, 0.0) for number in range(10)]
    trials.append(({"optimizer.k": 19, "optimizer.kind": "y"}, 1.0))
    ranges = narrowing.ranges_of(candidate, trials)
    later = narrowing.points(candidate, 42, 60, ranges, trials)
    assert ranges == {"optimizer.k": (3, 5)}
    assert {point["optimizer.k"] for point in later} == {3, 4, 5}
    assert {point["optimizer.kind"] for point in later} == {"x", "z"}


def test_equal_best_values_are_drawn_again():
    candidate = candidate_of(a=Range(low=1e-3, high=1.0, log=True), k=Range(low=1.0, high=9.0, integer=True))
    ends = {"optimizer.a": (0.1, 0.1), "optimizer.k": (4.0, 4.0)}
    assert narrowing.points(candidate, 42, 3, ends) == [{"optimizer.a": 0.1, "optimizer.k": 4}] * 3


@pytest.mark.parametrize("trials", [1, 25, 50])
def test_up_to_50_trials_nothing_is_narrowed(trials):
    study = study_of(catalog.candidate("sgd"), trials)
    other = tune.Study(catalog.candidate("sgd"), "minimize", "random", 42, trials)
    assert study.is_known_in_advance
    assert [study.ask(number) for number in range(trials)] == [other.ask(number) for number in range(trials)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "momentum: must be a table of ranges. Received: none"),
        (
            "[momentum]\noptimizer.learning_rate = [1e-3, 0.1]",
            "momentum.optimizer.momentum: must be two rising numbers ",
        ),
        (
            "[momentum]\noptimizer.learning_rate = [0.1, 1e-3]",
            "must be two rising numbers from 0.0001 to 1. Received: ",
        ),
        ("[momentum]\noptimizer.learning_rate = [0.1, 1.5]", "must be two rising numbers from 0.0001 to 1. Received: "),
        ("[momentum]\noptimizer.rate = [0.1, 0.5]", "momentum: There is no searched range `optimizer.rate`"),
        ("[momentum", "not valid TOML"),
    ],
)
def test_file_of_ranges_that_does_not_fit_is_one_clear_line(tmp_path, content, message):
    path = tmp_path / "ranges.toml"
    path.write_text(content)
    with pytest.raises(DefinitionError) as raised:
        catalog.read_ranges(path, catalog.candidate("momentum"), "digits_mlp", "none")
    assert str(raised.value).startswith(f"{path}: ")
    assert message in str(raised.value)


def test_file_of_ranges_gives_ends_in_the_drawn_quantity(tmp_path):
    path = tmp_path / "ranges.toml"
    path.write_text("[momentum]\noptimizer.learning_rate = [1e-3, 0.1]\noptimizer.momentum = [0.01, 0.02]\n")
    ranges = catalog.read_ranges(path, catalog.candidate("momentum"), "digits_mlp", "none")
    later = narrowing.points(catalog.candidate("momentum"), 42, 25, ranges)
    assert all(0.98 <= point["optimizer.momentum"] <= 0.99 for point in later)
