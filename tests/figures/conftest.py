"""Results that need no training: a fake function in place of it, and figures of a few runs."""

import numpy as np
import pytest

from regbench import benchmark, catalog
from regbench.figures.plan import Drawing, PaperFigure, Run, available_results, candidate, part
from regbench.figures.runs import FigureRuns
from regbench.plots.curve_panels import CurvePanel, curve_panels
from regbench.store.folder import Folder


@pytest.fixture
def results(tmp_path):
    """The runs of an empty results tree."""
    return FigureRuns([tmp_path / "results"])


@pytest.fixture
def pretend(monkeypatch, make_result):
    """Trains by a function of the spec, which gives final values by name; returns the specs that were trained."""

    def use(values=lambda spec: {"test_accuracies": 0.5}, **changes):
        trained = []

        def run_all(specs, *, origins, results, report, **_):
            for spec, origin in zip(specs, origins, strict=True):
                trained.append(spec)
                result = make_result(spec, **values(spec)).model_copy(update={"origin": origin} | changes)
                Folder(results).write(result)
                report(result, False)

        monkeypatch.setattr(benchmark, "run_all", run_all)
        return trained

    return use


@pytest.fixture
def digits_run():
    """A run on digits, by learning rate and seed."""

    def make(rate=0.1, seed=42, **others):
        one = candidate("sgd_plain", "nobody", part("sgd", learning_rate=rate))
        return Run(catalog.problem("digits_mlp"), one, seed, 2, **others)

    return make


@pytest.fixture
def make_figure():
    """A figure of the final test accuracy over the number of the run."""

    def make(drawn, name="mine", **others):
        def draw(find):
            import pandas as pd

            values = [run.curves["test_accuracies"][-1] for run in available_results(drawn, find)]
            rows = {"panel": "p", "label": "l", "x": range(len(values)), "mean": values, "low": values, "high": values}
            numbers = pd.DataFrame(rows)
            return Drawing(
                curve_panels(numbers, {"p": CurvePanel("title", "x", "y")}), numbers, ["Something was found."]
            )

        settings = {
            "title": "A title",
            "shows": "Something is shown.",
            "source": "Nobody 2020",
            "departures": ["Otherwise."],
            "runs": lambda find: drawn,
            "draw": draw,
        }
        return PaperFigure(name=name, **(settings | others))

    return make


@pytest.fixture
def generator():
    return np.random.default_rng(0)
