"""What the figures of weight decay draw and say, from runs that nobody trained."""

import numpy as np
import pytest

from regbench.conventions.couplings import STEP_FOR_STEP, converted, pace_of
from regbench.figures import decay
from regbench.figures.decay_ridge import STRENGTHS
from regbench.figures.plan import Size
from regbench.records import Coupling, Schedule


@pytest.fixture
def drawn(make_result):
    """A figure of the quick size, from runs with the accuracy and whatever else functions of the spec say."""

    def draw(name, accuracy, **others):
        (figure,) = (one for one in decay.figures(Size.QUICK) if one.name == name)

        def find(run):
            score = accuracy(run.spec)
            result = make_result(run.spec, test_accuracies=score, valid_accuracies=score)
            return result.model_copy(update={key: of(run.spec) for key, of in others.items()})

        return figure.draw(find)

    return draw


def test_best_strength_is_told_with_what_it_gains_over_no_decay(drawn):
    def accuracy(spec):
        return 0.5 + 0.25 * (spec.decay.coupling == "l2" and spec.decay_strength == 0.1) if spec.decay_strength else 0.5

    drawing = drawn("mnist1d_mlp_strength", accuracy)
    assert set(drawing.numbers["panel"]) == {"sgd", "momentum", "adam"}
    assert drawing.findings[2].startswith(
        "adam: without decay 50.0 %; best of each, chosen by the same numbers: l2 75.0 % at 0.1, over none +25 "
    )
    assert "decoupled 50.0 % at 0.001, over none +0 " in drawing.findings[2]


@pytest.mark.parametrize("name", ["mnist1d_mlp_schedules", "modular_addition_strength"])
def test_couplings_stand_at_one_place_of_the_axis_where_they_are_the_same_at_a_constant_rate(name):
    (figure,) = (one for one in decay.figures(Size.DEFAULT) if one.name == name)
    specs = [run.spec for run in figure.runs(lambda run: None)]
    pace = pace_of(Schedule(), 1, decay.RATE, 10)
    by_coupling = {
        coupling: sorted({spec.decay_strength for spec in specs if spec.decay.coupling == coupling})
        for coupling in ("decoupled", "decoupled_constant", "lr_squared")
    }
    for strengths in zip(*by_coupling.values(), strict=True):
        same = {one.coupling: one for one in converted(Coupling.DECOUPLED, strengths[0], pace)}
        for coupling, strength in zip(by_coupling, strengths, strict=True):
            assert same[Coupling(coupling)].strength == pytest.approx(strength)
            assert same[Coupling(coupling)].how in (STEP_FOR_STEP, "as given")


def test_ridge_that_is_there_is_found_for_each_coupling(make_result):
    (figure,) = (one for one in decay.figures(Size.DEFAULT) if one.name == "mnist1d_mlp_ridge")

    def find(run):
        spec = run.spec
        low, high = np.log10(STRENGTHS[spec.decay.coupling])
        x, y = np.log10(spec.optimizer.arguments["learning_rate"]), np.log10(spec.decay_strength)
        score = 0.9 - 0.1 * (y - (low + high) / 2 + (x + 2)) ** 2 - 0.01 * (x + 2) ** 2
        return make_result(spec, valid_accuracies=score, test_accuracies=score)

    drawing = figure.draw(find)
    slopes = drawing.numbers.drop_duplicates("label").set_index("label")["slope"]
    assert set(slopes.index) == {coupling.value for coupling in STRENGTHS}
    assert slopes.to_numpy() == pytest.approx(np.full(7, -1.0), abs=0.1)
    assert all("Slope of the ridge -" in finding for finding in drawing.findings)


def test_norms_are_those_of_runs_of_each_length(drawn):
    drawing = drawn(
        "digits_mlp_norm",
        lambda spec: 0.5,
        final_weight_norm=lambda spec: 10.0 + spec.epochs,
        shrinkage=lambda spec: 0.5 if spec.decay.coupling == "decoupled" else None,
        decay_share=lambda spec: 0.125 if spec.decay_strength else None,
    )
    norms = drawing.numbers[drawing.numbers["panel"] == "norm"]
    assert sorted(set(norms["label"])) == ["cautious", "decoupled", "l2", "no decay"]
    assert (norms["mean"] == 10 + norms["x"]).all()
    assert list(drawing.numbers[drawing.numbers["panel"] == "left"]["label"].unique()) == ["decoupled"]
    assert "no decay" not in set(drawing.numbers[drawing.numbers["panel"] == "share"]["label"])
    assert drawing.findings[0] == (
        "After 4 epochs, norm of the weights: no decay 14, l2 14, decoupled 14, cautious 14."
    )
