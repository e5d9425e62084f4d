"""The names of folders and files."""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from regbench.records import Coupling, Decay, Part, RunSpec, Schedule
from regbench.store import paths

MakeSpec = Callable[..., RunSpec]
PUBLISHED = Path(__file__).resolve().parents[2].parent / "shared" / "published" / "nonlinear_weight_updates"


@given(st.floats(allow_nan=False, allow_infinity=False))
@example(12345678901.5)  # a tie in the last of the 11 digits; even wins
@example(12345678900.5)
def test_floats_print_as_numpy_prints_the_exact_value_with_ten_decimals(value: float) -> None:
    assert paths.format_float(value) == np.format_float_scientific(value, precision=10, unique=False, trim=".")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.005342937261279, "5.3429372613e-03"),
        (0.001, "1.e-03"),
        (0.5, "5.e-01"),
        (0.0002303699023, "2.303699023e-04"),
        (0.0, "0.e+00"),
    ],
)
def test_floats_print_as_in_published_trees(value: float, text: str) -> None:
    assert paths.format_float(value) == text


def test_published_folders_print_the_hyperparameters_in_their_files_as_we_do() -> None:
    files = sorted(PUBLISHED.glob("*/*/*/*.json"))
    if not files:
        pytest.skip(f"there are no published results at {PUBLISHED}")
    for file in files:
        hyperparameters = json.loads(file.read_bytes())["optimizer_hyperparams"]
        printed = "__".join(f"{name}__{paths.format_float(value)}" for name, value in sorted(hyperparameters.items()))
        assert file.parent.name.endswith(f"__{printed}")


def test_run_folder_names_problem_candidate_and_setting(make_stored_spec: MakeSpec) -> None:
    spec = make_stored_spec()
    setting = "num_epochs__100__batch_size__128__learning_rate__5.3429372613e-03__momentum__9.e-01__power__7.e-01"
    assert str(paths.run_folder(spec)) == f"fmnist_2c2d/power_momentum/{setting}__{spec.setting_digest()[:8]}"


def test_l2_factor_stands_in_the_setting_name_only_where_it_is_part_of_the_loss(make_stored_spec: MakeSpec) -> None:
    l2 = paths.setting_name(make_stored_spec(decay=Decay(coupling=Coupling.L2, strength=0.002)))
    decoupled = paths.setting_name(make_stored_spec(decay=Decay(coupling=Coupling.DECOUPLED, strength=0.002)))
    assert l2.startswith("num_epochs__100__batch_size__128__weight_decay__2.e-03__learning_rate__")
    assert decoupled.startswith("num_epochs__100__batch_size__128__decay.strength__2.e-03__learning_rate__")


def test_strings_truth_values_integers_and_lists_print_plainly(make_stored_spec: MakeSpec) -> None:
    arguments = {"kind": "a b/c", "nesterov": True, "k": 5, "betas": [0.9, 0.5]}
    name = paths.setting_name(make_stored_spec(optimizer=Part(name="x", arguments=arguments)))
    assert "__betas__9.e-01_5.e-01__k__5__kind__a-b-c__nesterov__True__" in name


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": Part(name="sgd", arguments={"learning_rate": 0.1 + 1e-14})},
        {"optimizer": Part(name="adam", arguments={"learning_rate": 0.1})},
        {"regularizer": Part(name="l1", arguments={})},
        {"decay": Decay(coupling=Coupling.DECOUPLED, strength=0.0)},
        {"decay": Decay(coupling=Coupling.L2, strength=1e-3 + 1e-15)},
        {"schedule": Schedule(name="cosine")},
        {"schedule": Schedule(name="ltr")},
    ],
    ids=lambda changes: str(changes),
)
def test_settings_whose_printed_values_are_equal_have_different_folders(
    make_stored_spec: MakeSpec, changes: dict[str, Any]
) -> None:
    plain = {"optimizer": Part(name="sgd", arguments={"learning_rate": 0.1})}
    assert paths.run_folder(make_stored_spec(**plain)) != paths.run_folder(make_stored_spec(**(plain | changes)))


def test_protocols_have_different_folders_and_seeds_have_one(make_stored_spec: MakeSpec) -> None:
    spec = make_stored_spec()
    other_protocol = spec.protocol.model_copy(update={"reshuffle": True})
    assert paths.run_folder(make_stored_spec(protocol=other_protocol)) != paths.run_folder(spec)
    assert paths.run_folder(make_stored_spec(seed=43)) == paths.run_folder(spec)


def test_long_settings_are_shortened_in_the_middle_and_stay_apart(make_stored_spec: MakeSpec) -> None:
    names = set()
    for last in (0.1, 0.2):
        arguments = {f"quite_a_long_hyperparameter_{index:02}": float(index) for index in range(30)}
        spec = make_stored_spec(optimizer=Part(name="x", arguments=arguments | {"k_in_the_middle": last}))
        name = paths.setting_name(spec)
        assert name == paths.setting_name(spec)
        assert len(name.encode()) == paths.LONGEST
        assert name.startswith("num_epochs__100__batch_size__128__k_in_the_middle")
        assert name.endswith(f"__2.9e+01__{spec.setting_digest()[:8]}")
        names.add(name)
    assert len(names) == 2


@pytest.mark.parametrize("name", ["adam", "power_momentum", "a" * 254, "_x", "SGD-0.9+nesterov", "2c2d"])
def test_plain_names_are_folder_names(name: str) -> None:
    assert paths.folder_name(name) == name


@given(st.text())
@example("..")
@example("a/../../b")
@example("ends_in_a_dot.")
@example("a" * 255)
@example("Ärger " * 100)
@example("\udcff")
def test_any_name_gives_a_folder_name_that_any_file_system_takes(name: str) -> None:
    folder = paths.folder_name(name)
    assert 0 < len(folder.encode("ascii")) < 255
    assert set(folder) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-")
    assert folder[0] not in ".-"
    assert folder[-1] != "."


def test_names_that_differ_only_in_odd_characters_have_different_folders() -> None:
    names = ["a b", "a/b", "a-b", "a:b", "-a-b", "." * 3, "." * 4]
    assert len({paths.folder_name(name) for name in names}) == len(names)


def test_run_name_has_the_seed_and_the_second() -> None:
    name = paths.run_name(42, datetime(2022, 2, 14, 15, 34, 3), ".json")
    assert name == "random_seed__42__2022-02-14-15-34-03.json"
