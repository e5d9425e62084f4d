"""The figures of non-linear weight updates, from published trees and from searches of our own."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from regbench import catalog
from regbench.cli import main
from regbench.errors import ResultsError
from regbench.figures import make, nonlinear
from regbench.figures.plan import Size
from regbench.figures.published import agreement
from regbench.figures.runs import FigureRuns

PUBLISHED = Path(__file__).resolve().parents[3] / "shared" / "published"
TREES = [PUBLISHED / name for name in ("deepobs_baselines", "nonlinear_weight_updates")]
needs_published = pytest.mark.skipif(
    not all(tree.is_dir() for tree in TREES), reason="the published result files are not here"
)


def tree_arguments(trees):
    return [word for tree in trees for word in ("--results", str(tree))]


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    """Of the published trees the three problems whose figures are known; drawing those of all takes twice as long."""
    folder = tmp_path_factory.mktemp("trees")
    for problem in ("quadratic_deep", "fmnist_2c2d", "cifar10_3c3d"):
        for tree in TREES:
            for path in tree.glob(f"{problem}*"):
                shutil.copytree(path, folder / tree.name / path.name)
    return [folder / tree.name for tree in TREES]


@pytest.fixture(scope="module")
def from_published(trees, tmp_path_factory):
    """All figures from the published trees alone: code and folder."""
    folder = tmp_path_factory.mktemp("drawn")
    before = [sorted(tree.rglob("*")) for tree in trees]
    code = main(["figures", "nonlinear", *tree_arguments(trees), "--output", str(folder)])
    assert [sorted(tree.rglob("*")) for tree in trees] == before
    return code, folder / "default" / "nonlinear"


@needs_published
def test_published_trees_alone_give_all_figures_of_the_three_problems(from_published):
    code, folder = from_published
    assert code == 0
    kinds = {"quadratic_deep": 3, "fmnist_2c2d": 3, "cifar10_3c3d": 4}
    assert {name: len(list(folder.glob(f"{name}_*.svg"))) for name in kinds} == kinds


@needs_published
def test_published_numbers_are_found_in_all_their_digits(from_published):
    _, folder = from_published
    tables = [pd.read_csv(path) for path in folder.glob("*_results.csv")]
    rows = {(row["problem"], row["candidate"]): row for table in tables for row in table.to_dict("records")}
    assert len(nonlinear.PUBLISHED) == 20
    compared = {key: published for key, published in nonlinear.PUBLISHED.items() if key in rows}
    assert len(compared) == 9
    for (problem, candidate), published in compared.items():
        row = rows[problem, candidate]
        metric = catalog.problem(problem).metric
        digits, sd_digits = (len(text.partition(".")[2]) for text in (published.mean, published.sd))
        assert f"{row[f'test_{metric}_mean']:.{digits}f}" == published.mean
        assert f"{row[f'test_{metric}_sd']:.{sd_digits}f}" == published.sd
        assert row["n_seeds"] == 10
        # Printed with three digits at least: rounded by less than 0.5 %.
        assert json.loads(row["setting"]) == pytest.approx(published.setting, rel=5e-3)


@needs_published
def test_captions_say_what_agrees_and_what_cannot_be_compared(from_published):
    _, folder = from_published
    caption = (folder / "cifar10_3c3d_results.txt").read_text()
    assert caption.count("mean and deviation agree to all digits; the same setting won.") == 3
    assert "The baselines are left out: the winners of the others were chosen by validation that overlaps" in caption
    assert "Runs: 192" in caption
    assert "Seeds: 42 to 51" in caption
    assert "validation accuracy 0.95" in caption
    assert "No results of sgd, momentum, nag, adam are shown." in caption


@needs_published
def test_captions_say_what_is_irregular_in_the_folders(from_published):
    _, folder = from_published
    caption = (folder / "cifar10_3c3d_results.txt").read_text()
    assert "holds runs with other decays (0.0005, 0.001, 0.004, 0.008) than that of the search, 0.002." in caption
    assert "files repeated_seed (the same seed of the same setting again" in caption
    assert "other decays" not in (folder / "fmnist_2c2d_results.txt").read_text()


@needs_published
@pytest.mark.slow
def test_results_of_the_other_problems_are_compared_too(tmp_path):
    figures = {figure.name: figure for figure in nonlinear.figures(Size.DEFAULT, TREES)}
    expected = {"cifar100_allcnnc": 3, "svhn_wrn164": 3, "fmnist_vae": 1}
    for problem, count in expected.items():
        findings = figures[f"{problem}_results"].draw(FigureRuns(TREES).find).findings
        published = [sentence for sentence in findings if "Published" in sentence]
        assert len(published) == count
        assert all("agree" in one and one.endswith("the same setting won.") for one in published)
        if problem == "cifar100_allcnnc":
            assert any("28 files cut_short" in sentence for sentence in findings)
        if problem == "fmnist_vae":
            assert any(
                "as after two searches" in sentence and "0.001654, power 0.8" in sentence for sentence in findings
            )


@needs_published
def test_l2_of_another_protocol_and_budget_is_not_beside_decoupled_decay(from_published):
    _, folder = from_published
    drawn = pd.read_csv(folder / "cifar10_3c3d_decay.csv")
    assert set(drawn["coupling"]) == {"decoupled", "decoupled_momentum"}


@needs_published
def test_same_trees_give_the_same_files(trees, from_published, tmp_path):
    _, folder = from_published
    results = FigureRuns(trees)
    command = next(folder.glob("*.txt")).read_text().splitlines()[-1].partition(": ")[2]
    jobs = make.jobs_for(["nonlinear"], Size.DEFAULT, results)
    assert all((job.missing, job.present) == (0, 0) for job in jobs)
    for job in jobs[:4]:
        for path in make.make(job, Size.DEFAULT, results, command, tmp_path, lambda line: None):
            assert path.read_bytes() == (folder / path.name).read_bytes()


@needs_published
def test_nothing_is_written_into_a_tree_of_others(digits_run):
    with pytest.raises(ResultsError, match="holds results of others"):
        FigureRuns(TREES).train([digits_run()])


def trained(find_values, figure, results, folder, pretend):
    pretend(find_values)
    job = make.Job("nonlinear", figure, 1, 0, None)
    return make.make(job, Size.QUICK, results, "regbench figures nonlinear --quick", folder, lambda line: None)


def values(spec):
    rate = spec.setting["optimizer.inner_optimizer.learning_rate" if "power" in spec.candidate else RATE]
    score = 0.9 - abs(rate - 0.1) + spec.seed / 1e4
    return {"valid_accuracies": score, "test_accuracies": score - 0.01, "test_losses": 1 - score, "train_losses": 0.1}


RATE = "optimizer.learning_rate"


def test_without_trees_all_variants_and_baselines_are_searched(pretend, results, tmp_path):
    figures = {figure.name: figure for figure in nonlinear.figures(Size.QUICK, results.trees)}
    figure = figures["digits_2c2d_results"]
    names = {run.candidate.name for run in figure.runs(results.find)}
    assert names == {*nonlinear.POWERS, *nonlinear.BASELINES}
    paths = trained(values, figure, results, tmp_path, pretend)
    table = pd.read_csv(paths[3])
    assert set(table["candidate"]) == names
    assert set(table["n_seeds"]) == {3}
    caption = paths[4].read_text()
    assert "Runs: 56 (56 completed)" in caption
    assert "5 epochs instead of 100." in caption
    assert "Published" not in caption


def test_problem_with_decay_is_searched_with_both_couplings_and_their_difference_is_told(pretend, results, tmp_path):
    problem = catalog.problem("digits_2c2d").model_copy(update={"name": "digits_2c2d_decay", "l2": 0.002})
    plan = nonlinear._Plan(problem, 3, 2, 2)
    wanted = [*nonlinear.DECAYED, *nonlinear.BASELINES]
    figures = {figure.name: figure for figure in nonlinear._searched(plan, results.trees, wanted)}
    figure = figures["digits_2c2d_decay_decay"]
    assert {run.candidate.name for run in figure.runs(results.find)} == set(wanted)
    paths = trained(values, figure, results, tmp_path, pretend)
    caption = paths[-1].read_text()
    # The same values for both couplings.
    assert "power_sgd, decoupled minus L2 in the test metric, in its own unit over 3 seeds: +0 (" in caption
    assert "power_nesterov, decoupled_momentum minus L2" in caption


def row(**changes):
    usual = {"problem": "quadratic_deep", "epochs": 100, "batch_size": 128, "schedule": "none", "n_seeds": 10}
    found = {"mean": 87.688, "sd": 0.104, "setting": {"learning_rate": 0.0068706, "power": 0.8}}
    return usual | found | changes


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "mean and deviation agree to all digits; the same setting won"),
        ({"sd": 0.2}, "the mean agrees to all digits, the deviation is 0.200"),
        # Standard errors of 0.0329 each: the half width is 2.1 (18 degrees of freedom) * 0.0465 = 0.098.
        (
            {"mean": 87.75},
            "no difference is seen within the 95 % interval of the difference, -0.0357 to +0.16 (here 87.750)",
        ),
        ({"mean": 88.0}, "does not agree: the 95 % interval of the difference, +0.214 to +0.41"),
        ({"setting": {"learning_rate": 0.1, "power": 0.8}}, "another setting won here"),
        ({"epochs": 20}, "not comparable, because here: 20 epochs instead of 100"),
        ({"mean": 88.0, "n_seeds": 1, "sd": float("nan")}, "differs by +0.312 (no interval: 1 seeds)"),
        ({"mean": float("nan")}, "does not agree, there is no finite mean here"),
    ],
)
def test_agreement_with_a_published_number_is_computed(changes, expected):
    assert expected in agreement(row(**changes), nonlinear.PUBLISHED["quadratic_deep", "power_sgd"])


def test_published_mean_without_a_deviation_is_compared_by_its_digits():
    published = nonlinear.PUBLISHED["svhn_wrn164", "power_sgd_decoupled"]
    like = {"problem": "svhn_wrn164", "setting": published.setting, "epochs": 160}
    assert "Published: 0.9630 at" in agreement(row(**like, mean=0.96297), published)
    assert "the mean agrees to all digits; the same setting won" in agreement(row(**like, mean=0.96297), published)
    assert "differs by +0.007" in agreement(row(**like, mean=0.97), published)
