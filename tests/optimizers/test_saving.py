"""What a saved optimizer needs to go on as if nothing had happened."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras.optimizers import SGD

import regbench.optimizers
from regbench.optimizers import DecoupledDecay, Lookahead, Normalized, SignedPower, norms, register_norm

# Keras 3.15 reads variables in a way of which NumPy 2 disapproves, whatever the optimizer.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


@keras.saving.register_keras_serializable(package="tests_of_optimizers")
def is_wide(variable):
    return variable.shape[-1] > 1


def test_every_optimizer_survives_its_config(build_optimizer, weights, gradients, trajectory, assert_identical):
    optimizer = build_optimizer()
    config = json.loads(json.dumps(keras.optimizers.serialize(optimizer)))
    restored = keras.optimizers.deserialize(config)
    assert restored.get_config() == optimizer.get_config()
    assert_identical(trajectory(restored, weights, gradients), trajectory(optimizer, weights, gradients))


def test_config_is_not_changed_by_building_from_it(build_optimizer):
    config = build_optimizer().get_config()
    copy = json.loads(json.dumps(config))
    build_optimizer().from_config(config)
    assert config == copy


def test_every_optimizer_goes_on_after_loading(build_optimizer, build_model, regression_data, tmp_path):
    model = build_model(build_optimizer(), run_eagerly=True)
    for _ in range(5):
        model.train_on_batch(*regression_data)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    loaded.run_eagerly = True
    for one in (model, loaded):
        for _ in range(5):
            one.train_on_batch(*regression_data)
    for one, other in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_config_holds_numbers_as_python_has_them():
    assert SignedPower(SGD(), power=1 / 3).get_config()["power"] == 1 / 3
    powers = SignedPower(SGD(), power=np.float64(0.7)).get_config()["power"], SignedPower(SGD(), power=1).power
    assert powers == (0.7, 1.0)
    assert [type(power) for power in powers] == [float, float]
    period = regbench.optimizers.Lookahead(SGD(), sync_period=np.int64(7)).get_config()["sync_period"]
    assert period == 7
    assert type(period) is int


def test_infinite_threshold_survives_saving(build_model, regression_data, tmp_path):
    model = build_model(regbench.optimizers.Clipped(SGD(0.1), threshold=float("inf")))
    model.fit(*regression_data, verbose=0)
    model.save(tmp_path / "model.keras")
    assert keras.models.load_model(tmp_path / "model.keras").optimizer.get_config()["threshold"] == float("inf")


def test_registered_function_is_saved_and_another_one_refused():
    config = DecoupledDecay(SGD(), 0.1, apply_to=is_wide).get_config()
    assert DecoupledDecay.from_config(config).apply_to is is_wide
    with pytest.raises(
        ValueError, match=r"`apply_to` must be registered with `keras.saving.register_keras_serializable`"
    ):
        DecoupledDecay(SGD(), 0.1, apply_to=lambda variable: True).get_config()


def test_loading_without_registering_the_norm_first_says_so(monkeypatch):
    monkeypatch.setattr(norms, "_registered_norms", {})
    register_norm("median", lambda gradient: keras.ops.median(keras.ops.abs(gradient)))
    config = Normalized(SGD(), norm="median").get_config()
    monkeypatch.setattr(norms, "_registered_norms", {})
    with pytest.raises(ValueError, match=r"registered first with .*register_norm.*Received: norm='median'"):
        Normalized.from_config(config)


@pytest.mark.slow
def test_training_goes_on_in_another_process(monkeypatch, build_model, regression_data, tmp_path):
    monkeypatch.setattr(norms, "_registered_norms", {})
    register_norm("half_range", lambda gradient: (keras.ops.max(gradient) - keras.ops.min(gradient)) / 2)
    optimizer = Lookahead(Normalized(SignedPower(SGD(0.05, momentum=0.9), apply_to=is_wide), norm="half_range"))
    model = build_model(DecoupledDecay(optimizer, strength=0.1))
    model.fit(*regression_data, batch_size=16, shuffle=False, verbose=0)
    model.save(tmp_path / "model.keras")
    np.savez(tmp_path / "data.npz", inputs=regression_data[0], targets=regression_data[1])
    script = """
import keras, numpy as np
from regbench.optimizers import register_norm

@keras.saving.register_keras_serializable(package="tests_of_optimizers")
def is_wide(variable):
    return variable.shape[-1] > 1

register_norm("half_range", lambda gradient: (keras.ops.max(gradient) - keras.ops.min(gradient)) / 2)
model = keras.models.load_model("model.keras")
data = np.load("data.npz")
model.fit(data["inputs"], data["targets"], batch_size=16, shuffle=False, verbose=0)
np.savez("weights.npz", *model.get_weights())
"""
    package_root = Path(regbench.optimizers.__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": str(package_root)}
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, check=True)
    model.fit(*regression_data, batch_size=16, shuffle=False, verbose=0)
    with np.load(tmp_path / "weights.npz") as weights:
        for one, other in zip(model.get_weights(), weights.values(), strict=True):
            np.testing.assert_array_equal(one, other)
