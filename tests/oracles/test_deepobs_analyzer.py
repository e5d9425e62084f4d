"""Our frames against DeepOBS's own analyzer (`shared_utils` of deepobs 1.1.2), on trees that we wrote.

Both take means of the same float64 values, in another order at most: 1e-12 is thousands of times the rounding.
DeepOBS's standard deviations have ddof 0, ours ddof 1.
"""

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from regbench import catalog
from regbench.analysis import entries
from regbench.benchmark.tasks import Task
from regbench.records import Outcome, RunResult
from regbench.store.folder import Folder
from regbench.trees import frames
from regbench.trees.convert import convert

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("deepobs") is None, reason="the genuine package is not installed (extra `deepobs`)"
)

PUBLISHED = Path(__file__).resolve().parents[2].parent / "shared" / "published"
TOLERANCE = 1e-12
KEYS = {
    f"{split}_{many}": f"{split}_{one}"
    for split in ("train", "valid", "test")
    for many, one in (("losses", "loss"), ("accuracies", "accuracy"))
}
CONVERGENCE = {
    "quadratic_deep": 87.7032,
    "fmnist_2c2d": 0.919809,
    "fmnist_vae": 92.9776,
    "cifar10_3c3d": 0.828331,
    "cifar100_allcnnc": 0.525604,
    "svhn_wrn164": 0.950199,
}
BY_LOSS = ("quadratic_deep", "fmnist_vae")


@pytest.fixture(scope="module")
def analyzer() -> Iterator[ModuleType]:
    """The module alone: its package imports TensorFlow 1 and a package that is dead."""
    spec = importlib.util.find_spec("deepobs")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent
    names = ("deepobs", "deepobs.analyzer", "deepobs.config", "deepobs.analyzer.shared_utils")
    before = {name: sys.modules.pop(name, None) for name in names}
    for name in names[:2]:
        sys.modules[name] = ModuleType(name)
        sys.modules[name].__path__ = [str(folder.joinpath(*name.split(".")[1:]))]
    module = importlib.import_module("deepobs.analyzer.shared_utils")
    yield module
    for name, old in before.items():
        sys.modules.pop(name, None)
        if old is not None:
            sys.modules[name] = old


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def write_search(folder: Path, problem: str, candidate: str, seed: int) -> None:
    """Twelve settings with one seed and random curves, one with a divergence, and the eighth with two further seeds."""
    numbers = np.random.default_rng(seed)
    tree = Folder(folder)
    definition = catalog.problem(problem)
    task = Task(
        problem=definition,
        candidate=catalog.candidate(candidate),
        protocol=catalog.protocol("deepobs"),
        schedule=catalog.schedule("none"),
        epochs=4,
        batch_size=128,
    )
    for number in range(12):
        setting = {"optimizer.learning_rate": 10 ** numbers.uniform(-4, 0)}
        for run_seed in (42, 43, 44) if number == 7 else (42,):
            spec = task.spec(setting, run_seed)
            names = [name for name in KEYS if definition.has_accuracy or name.endswith("losses")]
            level = 96 if problem == "quadratic_deep" else 1  # so that some converge and some do not
            curves = {name: list(numbers.uniform(0.9 * level, level, 5)) for name in names}
            has_diverged = number == 3
            if has_diverged:
                curves = {name: [*curve[:2], *[curve[0]] * 3] for name, curve in curves.items()}
            tree.write(
                RunResult(
                    spec=spec,
                    outcome=Outcome.DIVERGED if has_diverged else Outcome.COMPLETED,
                    diverged_epoch=2 if has_diverged else None,
                    curves=curves | {"minibatch_train_losses": [1.0] * 28},
                    losses_without_penalty={name: curves[name] for name in names if name.endswith("losses")},
                    timings=_timings(),
                    environment={},
                )
            )


def _timings() -> Any:
    from regbench.records import Timings

    return Timings(compile_seconds=1, training_seconds=1, evaluation_seconds=1, total_seconds=3)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ours")
    write_search(folder, "fmnist_2c2d", "sgd", 1)
    write_search(folder, "quadratic_deep", "sgd", 2)
    return folder


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not PUBLISHED.is_dir():
        pytest.skip("the published result files are not at hand")
    folder = tmp_path_factory.mktemp("published") / "clean"
    convert(PUBLISHED, folder)
    return folder


@pytest.fixture(params=["ours", "published"])
def tree(request: pytest.FixtureRequest) -> Path:
    return request.getfixturevalue(request.param)


def by_setting_folder(results: frames.Results) -> dict[str, pd.DataFrame]:
    folders = results.runs["file"].str.rpartition("/")[0]
    return {str(folder): runs for folder, runs in results.runs.groupby(folders)}


def some(groups: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """All settings with several seeds, and of many others every seventh."""
    alone = [folder for folder, runs in groups.items() if len(runs) == 1]
    kept = set(alone[::7] if len(alone) > 100 else alone)
    return {folder: runs for folder, runs in groups.items() if len(runs) > 1 or folder in kept}


def test_means_and_deviations_of_all_curves_agree(analyzer: ModuleType, tree: Path) -> None:
    results = frames.load(tree)
    groups = some(by_setting_folder(results))
    assert max(map(len, groups.values())) >= 3
    for folder, runs in groups.items():
        theirs = analyzer.aggregate_runs(tree / folder)
        curves = results.curves(runs["run"])
        assert {KEYS[key] for key in theirs if key in KEYS} == set(curves["metric"].unique())
        for metric, curve in curves.groupby("metric", observed=True):
            of_them = theirs[next(key for key, name in KEYS.items() if name == metric)]
            values = curve.pivot_table(index="epoch", columns="run", values="value", dropna=False).to_numpy()
            n = values.shape[1]
            np.testing.assert_allclose(values.mean(axis=1), of_them["mean"], rtol=TOLERANCE)
            with np.errstate(invalid="ignore"):
                np.testing.assert_allclose(values.std(axis=1, ddof=0), of_them["std"], rtol=TOLERANCE, atol=TOLERANCE)
            final = runs[f"final_{metric}"]
            np.testing.assert_array_equal(np.sort(final), np.sort(of_them["all_final_values"]))
            if n > 1:
                rescaled = of_them["std"][-1] * np.sqrt(n / (n - 1))
                np.testing.assert_allclose(final.std(), rescaled, rtol=TOLERANCE, atol=TOLERANCE)


def test_hyperparameters_and_definitions_agree(analyzer: ModuleType, tree: Path) -> None:
    for folder, runs in some(by_setting_folder(frames.load(tree))).items():
        theirs = analyzer.aggregate_runs(tree / folder)
        setting = json.loads(runs["setting"].iloc[0])
        setting.pop("decay", None)
        hyperparameters = dict(theirs["optimizer_hyperparams"])
        hyperparameters.pop("weight_decay_opt", None)
        assert runs["setting"].nunique() == 1
        assert setting == hyperparameters
        assert theirs["testproblem"] == runs["problem"].iloc[0]
        assert (theirs["num_epochs"], theirs["batch_size"]) == tuple(runs[["epochs", "batch_size"]].iloc[0])


def test_the_structure_of_our_trees_pleases_deepobs(
    analyzer: ModuleType, ours: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It prints what displeases it."""
    for folder in by_setting_folder(frames.load(ours)):
        analyzer._check_setting_folder_is_not_empty(ours / folder)
        for path in (ours / folder).iterdir():
            analyzer._check_output_structure(path.parent, path.name)
    assert capsys.readouterr().out == ""


def test_speeds_agree(analyzer: ModuleType, tree: Path, tmp_path: Path) -> None:
    performance = tmp_path / "convergence_performance.json"
    performance.write_text(json.dumps(CONVERGENCE))
    found = []
    for folder, runs in some(by_setting_folder(frames.load(tree))).items():
        theirs = analyzer.SettingAnalyzer(tree / folder).calculate_speed(performance)
        assert runs["epochs_to_convergence"].mean() == pytest.approx(theirs, rel=TOLERANCE)
        found.append(theirs == runs["epochs"].iloc[0] + 1)
    assert set(found) == {True, False}, "some settings reach the performance, some do not"


def winners(analyzer: ModuleType, path: Path, mode: str, metric: str) -> list[tuple[dict[str, Any], float]]:
    """The settings that DeepOBS puts first, several where they are equal, each with its value."""
    ranking = analyzer.create_setting_analyzer_ranking(path, mode, metric)
    value = "get_best_value" if mode == "best" else "get_final_value"
    values = [getattr(one, value)(metric) for one in ranking]
    return [
        (one.aggregate["optimizer_hyperparams"], number)
        for one, number in zip(ranking, values, strict=True)
        if number == values[0]
    ]


def assert_same_winner(row: Any, theirs: list[tuple[dict[str, Any], float]]) -> None:
    setting = json.loads(row.setting)
    assert [value for hyperparameters, value in theirs if hyperparameters["learning_rate"] == setting["learning_rate"]]
    assert row.score == pytest.approx(theirs[0][1], rel=TOLERANCE)


@pytest.mark.parametrize("mode", ["final", "best"])
@pytest.mark.parametrize(
    ("problem", "metric"), [("fmnist_2c2d", "valid_accuracies"), ("quadratic_deep", "valid_losses")]
)
def test_winners_of_our_trees_agree(analyzer: ModuleType, tmp_path: Path, mode: Any, problem: str, metric: str) -> None:
    """With one seed a setting: over several DeepOBS takes the mean, we that of the tuning seed."""
    write_search(tmp_path, problem, "sgd", 3)
    for path in [*tmp_path.rglob("*__43__*.json"), *tmp_path.rglob("*__44__*.json")]:
        path.unlink()
    (row,) = entries.winners(frames.load(tmp_path).runs, mode).itertuples()
    assert_same_winner(row, winners(analyzer, tmp_path / problem / "sgd", mode, metric))


def test_the_setting_with_the_most_seeds_agrees(analyzer: ModuleType, ours: Path) -> None:
    for row in entries.winners(frames.load(ours).runs, "most").itertuples():
        ranking = analyzer.create_setting_analyzer_ranking(ours / row.problem / "sgd", "most", "valid_losses")
        assert ranking[0].n_runs == row.seeds == 3
        assert ranking[0].aggregate["optimizer_hyperparams"] == json.loads(row.setting)


@pytest.mark.parametrize("mode", ["final", "best"])
def test_winners_of_the_published_searches_agree(
    analyzer: ModuleType, published: Path, tmp_path: Path, mode: Any
) -> None:
    """With the tuning seed alone. The 1.1 baselines have no validation split; there the test split decides.

    DeepOBS sorts by values that may be NaN, which leaves the order open: such runs are left out. So are the four of
    one study that were run with another strength of the decay, which our search space does not hold.
    """
    runs = frames.load(published).runs
    is_finite = ~runs["irregular"].str.contains("not_finite")
    is_aside = (runs["problem"] == "cifar10_3c3d") & (runs["decay"] != 0.002)
    runs = runs[(runs["seed"] == 42) & is_finite & ~is_aside]
    for file in runs["file"]:
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).write_bytes((published / file).read_bytes())
    found = entries.winners(frames.load(tmp_path).runs, mode)
    assert len(found) == 36
    optimizers = runs.drop_duplicates("candidate").set_index("candidate")["optimizer"]
    for row in found.itertuples():
        split = "test" if row.protocol == "deepobs-1.1" else "valid"
        metric = f"{split}_{'losses' if row.problem in BY_LOSS else 'accuracies'}"
        path = tmp_path / row.problem / optimizers[row.candidate]
        assert_same_winner(row, winners(analyzer, path, mode, metric))
