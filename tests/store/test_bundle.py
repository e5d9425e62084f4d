"""Runs that come with regbench: what is written is read again to the last bit, and found by its spec."""

import math
import struct

import numpy as np
import pytest

from regbench.errors import ResultsError
from regbench.records import MINIBATCH, Kernel, Origin, Outcome, Role
from regbench.store import bundle_file, bundle_rows
from regbench.store.bundle import Bundle, file_of
from regbench.store.bundle_file import BundleFile

ODD = [math.nan, math.inf, -math.inf, -0.0, 5e-324, 0.1, float(np.float32(0.1))]


def bits(curves):
    return {name: struct.pack(f"{len(curve)}d", *curve) for name, curve in curves.items()}


def without_minibatch(result):
    return result.model_copy(
        update={"curves": {name: curve for name, curve in result.curves.items() if name != MINIBATCH}, "kernels": {}}
    )


@pytest.fixture
def write(tmp_path):
    """Writes a bundle of these runs, all of one problem."""

    def write_bundle(*results, **options):
        rows = [bundle_rows.columns_of(result) for result in results]
        bundle_file.write(file_of(tmp_path, results[0].spec.problem.name), rows, **options)
        return tmp_path

    return write_bundle


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {
            "outcome": Outcome.DIVERGED,
            "diverged_epoch": 3,
            "reason": "a loss was not finite",
            "final_weight_norm": None,
        },
        {"outcome": Outcome.TIMED_OUT, "reason": "took longer than 1 seconds", "shrinkage": 0.1 + 0.2},
        {"kernels": {"dense": Kernel.from_array(np.ones((2, 3)))}},
        {"metrics": {"valid_f1": [0.1, 1 / 3], "test_f1": [0.2, 2 / 3]}},
        {"origin": Origin(role=Role.BY_HAND, sources={"mine:Optimizer": "unknown"})},
        {
            "origin": Origin(
                role=Role.RERUN, number=3, search="ab" * 32, sampler="tpe", seed=7, budget=50, sources={"a:b": "c"}
            )
        },
    ],
)
def test_found_run_is_that_which_was_written_less_minibatch_losses_and_kernels(make_stored_result, write, changes):
    result = make_stored_result(**changes)
    others = [make_stored_result(result.spec.model_copy(update={"seed": seed})) for seed in range(3)]
    found = Bundle(write(*others, result)).find(result.spec)
    assert found == without_minibatch(result)


def test_curves_come_back_to_the_last_bit(make_stored_spec, make_stored_result, write):
    spec = make_stored_spec(epochs=len(ODD) - 1)
    result = make_stored_result(spec)
    penalized = ODD[1:] + ODD[:1]
    curves = dict.fromkeys(result.curves, ODD) | {"test_losses": penalized}
    result = make_stored_result(
        spec, curves=curves, losses_without_penalty=dict.fromkeys(result.losses_without_penalty, ODD)
    )
    folder = write(result)
    found = Bundle(folder).find(spec)
    assert bits(found.curves) == bits(without_minibatch(result).curves)
    assert bits(found.losses_without_penalty) == bits(result.losses_without_penalty)
    read = BundleFile(file_of(folder, spec.problem.name)).curves(0)
    assert bits(read) == dict.fromkeys(bundle_rows.CURVE_COLUMNS, struct.pack(f"{len(ODD)}d", *ODD))


def test_columns_without_a_value_are_null(make_stored_spec, make_stored_result, write):
    protocol = make_stored_spec().protocol.model_copy(update={"validation": False})
    result = make_stored_result(make_stored_spec(protocol=protocol))
    file = BundleFile(file_of(write(result), result.spec.problem.name))
    assert set(file.curves(0)) == {"train_loss", "test_loss", "train_accuracy", "test_accuracy"}
    (row,) = file.summaries().to_pylist()
    assert row["final_valid_loss"] is None
    assert row["diverged_epoch"] is None
    assert file.find(result.spec) == without_minibatch(result)


def test_every_run_of_several_row_groups_is_found(make_stored_spec, make_stored_result, write):
    specs = [make_stored_spec(seed=seed, epochs=0) for seed in range(bundle_file.ROWS_AT_ONCE + 3)]
    bundle = Bundle(write(*(make_stored_result(spec, data_digest=str(spec.seed)) for spec in specs)))
    for spec in (specs[0], specs[-1], specs[bundle_file.ROWS_AT_ONCE - 1], specs[bundle_file.ROWS_AT_ONCE]):
        assert bundle.find(spec).data_digest == str(spec.seed)
    assert bundle.find(make_stored_spec(seed=10**6, epochs=0)) is None
    assert bundle.find(make_stored_spec(epochs=1)) is None


def test_run_of_a_problem_without_a_file_is_not_found(tmp_path, make_stored_spec):
    told = []
    assert Bundle(tmp_path / "nothing", told.append).find(make_stored_spec()) is None
    assert told == []


def test_run_that_has_a_loss_only_with_its_penalty_is_refused(make_stored_result):
    with pytest.raises(ResultsError, match="with and without the penalty"):
        bundle_rows.columns_of(make_stored_result(losses_without_penalty={}))


def damage_pages(data):
    """All but what the file says of itself, which stands at its end with its length."""
    end = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    return data[:4] + bytes(byte ^ (place % 50 == 0) for place, byte in enumerate(data[4:end])) + data[end:]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"nonsense",
        lambda data: data[: len(data) // 2],
        lambda data: data[:-8] + bytes(4) + data[-4:],  # the length of what the file says of itself
        damage_pages,
        lambda data: data.replace(b'"format_version":1', b'"format_version":9'),
        lambda data: data.replace(b"test_loss", b"tost_loss"),
    ],
)
def test_damaged_file_is_one_line_for_a_reader_and_a_warning_for_who_looks_for_a_run(make_stored_result, write, damage):
    result = make_stored_result()
    path = file_of(write(result), result.spec.problem.name)
    path.write_bytes(damage(path.read_bytes()))

    def read():
        file = BundleFile(path)
        file.summaries()
        file.find(result.spec)

    with pytest.raises(ResultsError, match=r"fmnist_2c2d\.parquet: .* cannot be read: ") as raised:
        read()
    assert str(raised.value).isprintable()
    told = []
    bundle = Bundle(path.parent, told.append)
    assert bundle.find(result.spec) is None
    assert bundle.find(result.spec) is None
    assert len(told) == 1
    assert "cannot be read" in told[0]
