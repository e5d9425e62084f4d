"""From declared runs to files: what is trained, what is found, what is written."""

import pytest

from regbench import figures
from regbench.errors import ResultsError, UnknownNameError
from regbench.figures import make
from regbench.figures.plan import Size
from regbench.figures.runs import FigureRuns
from regbench.records import Kernel, Outcome
from regbench.store.folder import Folder


@pytest.fixture
def job_for(monkeypatch, results):
    """Plans figures in place of those of a paper; gives the jobs."""

    def plan(*drawn, known=results, data_dir=None):
        monkeypatch.setattr(figures, "of_paper", lambda *_: drawn)
        return make.jobs_for(["paper"], Size.QUICK, known, data_dir)

    return plan


def write(job, results, folder, size=Size.QUICK):
    return make.make(job, size, results, "regbench figures paper", folder, lambda line: None)


def test_what_is_missing_is_trained_and_what_is_there_is_not(pretend, digits_run, make_figure, job_for, tmp_path):
    runs = [digits_run(seed=seed) for seed in (42, 43, 44)]
    trained = pretend()
    for expected in ([42, 43, 44], []):
        results = FigureRuns([tmp_path / "results"])
        (job,) = job_for(make_figure(runs), known=results)
        assert (job.missing, job.present) == (len(expected), 3 - len(expected))
        write(job, results, tmp_path / "figures")
        assert [spec.seed for spec in trained] == expected
        trained.clear()
    Folder(tmp_path / "results").path_of(runs[1].spec).unlink()
    results = FigureRuns([tmp_path / "results"])
    write(*job_for(make_figure(runs), known=results), results, tmp_path / "figures")
    assert [spec.seed for spec in trained] == [43]


def test_planning_trains_nothing_and_counts_shared_runs_once(pretend, digits_run, make_figure, job_for):
    trained = pretend()
    first, second = [digits_run(seed=42), digits_run(seed=43)], [digits_run(seed=43), digits_run(seed=44)]
    jobs = job_for(make_figure(first), make_figure(second))
    assert [job.missing for job in jobs] == [2, 1]
    assert all(job.time.total_seconds() > 0 for job in jobs)
    assert trained == []


def test_equal_runs_are_trained_once(pretend, digits_run, make_figure, job_for, results, tmp_path):
    trained = pretend()
    write(*job_for(make_figure([digits_run(), digits_run()])), results, tmp_path)
    assert len(trained) == 1


def test_same_results_give_the_same_files_byte_for_byte(pretend, digits_run, make_figure, job_for, results, tmp_path):
    pretend(lambda spec: {"test_accuracies": spec.seed / 100})
    (job,) = job_for(make_figure([digits_run(seed=seed) for seed in (42, 43)]))
    first, second = (write(job, results, tmp_path / folder) for folder in ("first", "second"))
    assert [path.name for path in first] == ["mine.png", "mine.svg", "mine.pdf", "mine.csv", "mine.txt"]
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_numbers_are_those_that_are_drawn(pretend, digits_run, make_figure, job_for, results, tmp_path):
    pretend(lambda spec: {"test_accuracies": spec.seed / 100})
    paths = write(*job_for(make_figure([digits_run(seed=seed) for seed in (42, 43)])), results, tmp_path)
    lines = paths[3].read_text().splitlines()
    assert lines == ["panel,label,x,mean,low,high", "p,l,0,0.42,0.42,0.42", "p,l,1,0.43,0.43,0.43"]


@pytest.mark.parametrize("size", Size)
def test_caption_tells_source_departures_seeds_outcomes_and_command(
    size, pretend, digits_run, make_figure, job_for, results, tmp_path
):
    pretend()
    runs = [digits_run(seed=seed) for seed in (42, 43, 44, 50, 52, 53)]
    caption = write(*job_for(make_figure(runs)), results, tmp_path, size)[-1].read_text()
    assert ("quick" in caption.splitlines()[0]) == (size == Size.QUICK)
    for expected in (
        "A title",
        "Shown: Something is shown.",
        "- Something was found.",
        "Source: Nobody 2020",
        "Departures from the source:\n- Otherwise.",
        "Runs: 6 (6 completed)",
        "Seeds: 42 to 44, 50, 52, 53",
        "- digits_mlp, 2 epochs, batch size 64",
        "Protocol: keras-fit (as Keras's fit",
        ": regbench figures paper\n",
    ):
        assert expected in caption


@pytest.mark.parametrize("size", Size)
def test_only_the_picture_of_a_quick_figure_says_so(size, pretend, digits_run, make_figure, job_for, results, tmp_path):
    pretend()
    svg = write(*job_for(make_figure([digits_run()])), results, tmp_path, size)[1].read_text()
    assert ("quick: " in svg) == (size == Size.QUICK)


def test_run_that_crashes_stops_the_figure_with_its_reason(
    pretend, digits_run, make_figure, job_for, results, tmp_path
):
    pretend(outcome=Outcome.FAILED, reason="ValueError: no such thing")
    (job,) = job_for(make_figure([digits_run()]))
    with pytest.raises(ResultsError, match="sgd_plain on digits_mlp, seed 42: ValueError: no such thing"):
        write(job, results, tmp_path)
    assert not list(tmp_path.glob("*.png"))


def test_diverged_run_is_drawn_and_counted(pretend, digits_run, make_figure, job_for, results, tmp_path):
    pretend(outcome=Outcome.DIVERGED, diverged_epoch=1)
    caption = write(*job_for(make_figure([digits_run()])), results, tmp_path)[-1].read_text()
    assert "Runs: 1 (1 diverged)" in caption


def test_run_without_the_kernels_that_are_wanted_is_missing(pretend, digits_run, results):
    kernel = Kernel(shape=(1,), float32="AACAPw==")
    plain, wanting = digits_run(), digits_run(keep_kernels=True)
    pretend()
    results.train([plain])
    assert results.find(plain) is not None
    assert results.find(wanting) is None
    pretend(kernels={"dense_1": kernel})
    results.train([wanting])
    assert results.find(wanting).kernels == results.find(plain).kernels == {"dense_1": kernel}


def test_later_stage_is_trained_when_the_earlier_one_is_there(
    pretend, digits_run, make_figure, job_for, results, tmp_path
):
    first = [digits_run(rate, seed=42) for rate in (0.1, 0.2)]

    def runs(find):
        there = found_scores(first, find)
        settled = len(there) == 2
        return [*first, digits_run(max(there, key=there.get) if settled else 0.1, seed=43, is_settled=settled)]

    def found_scores(runs, find):
        pairs = ((run, find(run)) for run in runs)
        return {run.candidate.optimizer.arguments["learning_rate"]: result.score() for run, result in pairs if result}

    trained = pretend(lambda spec: {"test_accuracies": spec.optimizer.arguments["learning_rate"]})
    figure = make_figure(first, runs=runs)
    (job,) = job_for(figure)
    assert job.missing == 3
    write(job, results, tmp_path)
    assert [(spec.optimizer.arguments["learning_rate"], spec.seed) for spec in trained] == [
        (0.1, 42),
        (0.2, 42),
        (0.2, 43),
    ]
    assert job_for(figure)[0].missing == 0


def test_runs_that_wait_for_nothing_that_comes_are_an_error(digits_run, make_figure, job_for, results, tmp_path):
    (job,) = job_for(make_figure([digits_run(is_settled=False)]))
    with pytest.raises(ResultsError, match="1 runs wait for others, and none of these is missing"):
        write(job, results, tmp_path)


def test_further_trees_are_read_and_never_written(pretend, digits_run, tmp_path):
    pretend()
    FigureRuns([tmp_path / "other"]).train([digits_run(seed=42)])
    results = FigureRuns([tmp_path / "mine", tmp_path / "other"])
    assert results.find(digits_run(seed=42)) is not None
    results.train([digits_run(seed=43)])
    assert [run.spec.seed for run in Folder(tmp_path / "other").runs()] == [42]
    assert [run.spec.seed for run in Folder(tmp_path / "mine").runs()] == [43]


def test_figure_without_its_data_is_left_out_with_the_reason(tmp_path, results):
    jobs = make.jobs_for(["normalized"], Size.QUICK, results, tmp_path)
    obstacles = {job.figure.name: job.obstacle for job in jobs}
    assert {name for name, obstacle in obstacles.items() if obstacle} == {"mnist_deep_mlp", "cifar10_cnn"}
    assert "regbench data fetch mnist" in obstacles["mnist_deep_mlp"]


def test_unknown_paper_is_told_with_the_closest_one():
    with pytest.raises(UnknownNameError, match=r"no paper `normalised`\. Did you mean `normalized`"):
        figures.of_paper("normalised", Size.QUICK)
