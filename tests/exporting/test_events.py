"""Trees for TensorBoard: what its event files hold, read by TensorFlow, which checks their checksums."""

import json
import math
from datetime import datetime

import pytest
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData

from regbench import benchmark
from regbench.exporting import export


def read_events(path):
    import tensorflow as tf

    return [Event.FromString(record.numpy()) for record in tf.data.TFRecordDataset(str(path))]


def scalars(events):
    """The curves by tag, each a list of step and value."""
    curves = {}
    for event in events:
        for value in event.summary.value:
            if not value.tag.startswith("_hparams_"):
                curves.setdefault(value.tag, []).append((event.step, value.simple_value))
    return curves


def hparams(events):
    """The hyperparameters, and the tags of the metrics."""
    found, metrics = {}, []
    for event in events:
        for value in event.summary.value:
            if value.tag.startswith("_hparams_"):
                data = HParamsPluginData.FromString(value.metadata.plugin_data.content)
                found |= {
                    name: getattr(one, one.WhichOneof("kind")) for name, one in data.session_start_info.hparams.items()
                }
                metrics += [metric.name.tag for metric in data.experiment.metric_infos]
    return found, metrics


@pytest.fixture
def written(tree, tmp_path):
    """Exports the tree; gives the event files by the path of their folder."""

    def write(**options):
        folder = tmp_path / "events"
        export(tree, tensorboard=folder, **options)
        files = [path for path in folder.rglob("*") if path.is_file()]
        return {str(path.parent.relative_to(folder)): path for path in files}

    return write


def test_run_of_two_searches_has_one_folder(use_machine, by_score, written, tree):
    use_machine(by_score(lambda spec: 0.5))
    for budget in (2, 3):
        benchmark.search("digits_mlp", ["sgd"], budget=budget, reruns=1, epochs=2, results=tree)
    assert len(written()) == len(list(tree.rglob("*.json"))) == 4


def test_every_run_has_a_folder_with_all_curves_by_epoch(search, written, tree):
    search()
    files = written()
    runs = {str(path.relative_to(tree).with_suffix("")): path for path in tree.rglob("*.json")}
    assert files.keys() == runs.keys()
    assert len(files) == 14  # the run that crashed has no curves
    for name, path in files.items():
        content = json.loads(runs[name].read_text())
        losses = content["regbench"]["losses_without_penalty"]
        curves = scalars(read_events(path))
        assert curves.keys() == {
            f"{metric}/{split}" for metric in ("accuracy", "loss") for split in ("train", "valid", "test")
        }
        for split in ("train", "valid", "test"):
            # Event files hold float32.
            expected = [*enumerate(content[f"{split}_accuracies"])], [*enumerate(losses[f"{split}_losses"])]
            for (tag, values), wanted in zip(
                ((f"{m}/{split}", curves[f"{m}/{split}"]) for m in ("accuracy", "loss")), expected, strict=True
            ):
                assert [step for step, _ in values] == [step for step, _ in wanted], tag
                assert [value for _, value in values] == pytest.approx([value for _, value in wanted], rel=2**-23)


def test_hyperparameters_stand_with_the_metrics_and_what_the_run_is(search, written, tree):
    search(candidate="adam+decoupled", endings={}, trials=2)
    for name, path in written().items():
        content = json.loads((tree / f"{name}.json").read_text())
        found, metrics = hparams(read_events(path))
        assert sorted(metrics) == sorted(
            f"{metric}/{split}" for metric in ("accuracy", "loss") for split in ("train", "valid", "test")
        )
        own = dict(content["optimizer_hyperparams"])
        own["decay"] = own.pop("decay.strength")
        assert found == own | {
            "problem": "digits_mlp",
            "candidate": "adam+decoupled",
            "coupling": "decoupled",
            "protocol": "deepobs",
            "schedule": "none",
            "epochs": 3,
            "batch_size": 64,
            "seed": content["random_seed"],
            "outcome": "completed",
        }


def test_odd_values_of_others_can_be_shown(foreign, written):
    odd = {"rate": 0.5, "list": [1, 2], "none": None, "huge": 10**400, "yes": True, "nan": math.nan, "word": "ü"}
    foreign((0.1, 0.8, 42), optimizer_hyperparams=odd)
    (path,) = written().values()
    found, _ = hparams(read_events(path))
    assert {name: found[name] for name in odd} == {
        "rate": 0.5,
        "list": "[1, 2]",
        "none": "null",
        "huge": str(10**400),
        "yes": True,
        "nan": "nan",
        "word": "ü",
    }


def test_values_beyond_float32_and_nan_stay_in_the_curve(foreign, written):
    foreign((0.1, 0.8, 42), valid_losses=[1e300, math.nan, -math.inf])
    (path,) = written().values()
    (_, first), (_, second), (_, third) = scalars(read_events(path))["loss/valid"]
    assert (first, third) == (math.inf, -math.inf)
    assert math.isnan(second)


def test_times_are_those_of_the_runs_and_files_are_the_same_again(search, tree, tmp_path):
    search(endings={}, trials=2)
    for name in ("a", "b"):
        export(tree, tensorboard=tmp_path / name)
    contents = [
        {path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*.regbench")}
        for name in ("a", "b")
    ]
    assert contents[0] == contents[1]
    moments = {datetime.fromtimestamp(read_events(tmp_path / "a" / path)[-1].wall_time) for path in contents[0]}
    assert moments == {datetime(2026, 1, 1, 0, 0, second) for second in range(5)}


def test_superseded_runs_are_left_out(foreign, written):
    foreign((0.1, 0.8, 42), (0.1, 0.7, 42))
    (name,) = written()
    assert name.endswith("random_seed__42__2020-01-01-00-00-01")


def test_file_at_the_root_of_a_tree_has_a_folder_too(foreign, tree, tmp_path):
    foreign((0.1, 0.8, 42))
    (path,) = tree.rglob("*.json")
    export(path, tensorboard=tmp_path / "events")
    assert [one.name for one in (tmp_path / "events").iterdir()] == [path.stem]
