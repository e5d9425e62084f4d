"""Every optimizer and regularizer keeps its contract. That the contract notices who does not: `tests/contracts`."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras.optimizers import SGD, Adam

from regbench import contracts, optimizers, regularizers
from regbench.contracts import Ruling
from regbench.errors import DefinitionError, UnknownNameError
from regbench.regularizers.orthogonal import FORMS

# Keras 3.15 reads and saves variables in a way of which NumPy 2 disapproves, whatever the class.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

CORRELATED = np.eye(9) + 0.5


@dataclass
class Row:
    """A class with its arguments; clauses that it need not keep, each with the reason."""

    target: type
    arguments: dict[str, Any] = field(default_factory=dict)
    exceptions: dict[str, str] = field(default_factory=dict)


ROWS = {
    "SignedPower": Row(optimizers.SignedPower),
    "Normalized": Row(optimizers.Normalized),
    "Clipped": Row(optimizers.Clipped, {"inner_optimizer": Adam(0.01), "norm": "max", "threshold": 0.1}),
    "DecoupledDecay": Row(optimizers.DecoupledDecay, {"strength": 0.1}),
    "DecoupledDecay-momentum": Row(
        optimizers.DecoupledDecay, {"strength": 0.1, "coupling": "decoupled_momentum", "apply_to": "all"}
    ),
    "DecoupledDecay-cautious": Row(optimizers.DecoupledDecay, {"strength": 0.1, "coupling": "cautious"}),
    "DecoupledDecay-lr_squared": Row(
        optimizers.DecoupledDecay, {"strength": 0.1, "coupling": "lr_squared", "peak_learning_rate": 0.02}
    ),
    "Lookahead": Row(optimizers.Lookahead, {"sync_period": 4}),
    "RAdam": Row(optimizers.RAdam, {"beta_2": 0.9}),
    "AdaBelief": Row(optimizers.AdaBelief),
    "AdaBound": Row(optimizers.AdaBound),
    "AMSBound": Row(optimizers.AMSBound),
    "AdEMAMix": Row(optimizers.AdEMAMix, {"warmup_steps": 4}),
    "Prodigy": Row(optimizers.Prodigy, {"correct_bias": True}),
    "KernelMuon": Row(optimizers.KernelMuon, {"apply_to": "kernels", "learning_rate": 2.0**-5}),
    "CautiousStep": Row(optimizers.CautiousStep, {"inner_optimizer": Adam(0.01)}),
    "NormPinned": Row(optimizers.NormPinned, {"apply_to": "kernels"}),
    "SharpnessAware": Row(optimizers.SharpnessAware, {"rho": 0.1}),
    "ScheduleFree": Row(optimizers.ScheduleFree, {"inner_optimizer": SGD(0.1), "warmup_steps": 3, "strength": 0.01}),
    "AveragedWeights": Row(optimizers.AveragedWeights, {"momentum": 0.9}),
    "OptimizerWrapper": Row(
        optimizers.OptimizerWrapper, exceptions={"cites_source": "the base of the wrappers, no method of anyone's"}
    ),
    "nested": Row(
        optimizers.DecoupledDecay,
        {
            "inner_optimizer": optimizers.Normalized(optimizers.SignedPower(SGD(0.01, momentum=0.9), power=0.7)),
            "strength": 0.01,
        },
    ),
    "L2": Row(regularizers.L2),
    "EigenvalueDecay": Row(regularizers.EigenvalueDecay),
    **{f"Orthogonal-{form}": Row(regularizers.Orthogonal, {"form": form}) for form in FORMS},
    "SpectralNorm": Row(regularizers.SpectralNorm),
    "NormTarget": Row(regularizers.NormTarget, {"target": 2.0}),
    "RowNorm": Row(regularizers.RowNorm),
    "L1": Row(regularizers.L1),
    "ElasticNet": Row(regularizers.ElasticNet, {"share": 0.3}),
    "GroupLasso": Row(regularizers.GroupLasso),
    "ToInitial": Row(regularizers.ToInitial),
    "SmoothKernel-rank-2": Row(regularizers.SmoothKernel, {"covariance": CORRELATED}),
    "SmoothKernel-length": Row(regularizers.SmoothKernel, {"covariance": 1.5}),
    "SmoothKernel-rank-3": Row(regularizers.SmoothKernel, {"covariance": np.kron(CORRELATED, np.eye(2)), "rank": 3}),
}
CASES = [(name, clause) for name, row in ROWS.items() for clause in contracts.clauses_for(row.target)]


@pytest.mark.parametrize(("name", "clause"), CASES, ids=[f"{name}-{clause}" for name, clause in CASES])
def test_clause_holds(name, clause):
    row = ROWS[name]
    exceptions = {clause: row.exceptions[clause]} if clause in row.exceptions else {}
    (verdict,) = contracts.check(row.target, row.arguments, exceptions, clauses=[clause])
    if verdict.ruling == Ruling.NOT_APPLICABLE:
        pytest.skip(verdict.message)
    assert verdict.ruling not in (Ruling.FAILS, Ruling.WARNS), f"{verdict.must_hold}: {verdict.message}"


@pytest.mark.parametrize("module", [optimizers, regularizers])
def test_every_public_class_has_a_row(module):
    bases = (keras.optimizers.Optimizer, keras.regularizers.Regularizer)
    public = (getattr(module, name) for name in module.__all__)
    classes = {one for one in public if isinstance(one, type) and issubclass(one, bases)}
    assert classes
    assert classes <= {row.target for row in ROWS.values()}


def test_exceptions_are_of_clauses_that_exist():
    for row in ROWS.values():
        assert set(row.exceptions) <= set(contracts.clauses_for(row.target))


@pytest.mark.slow
@pytest.mark.by_hand  # two and a half minutes: every class is compiled anew
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")
def test_every_clause_holds_on_jax():
    command = [sys.executable, "-m", "pytest", "-q", "--noconftest", __file__, "-k", "test_clause_holds"]
    environment = os.environ | {"KERAS_BACKEND": "jax"}
    root = Path(__file__).resolve().parent.parent
    run = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


def test_exception_with_a_reason_takes_the_place_of_a_failure():
    (verdict,) = contracts.check(
        optimizers.OptimizerWrapper, exceptions={"cites_source": "made up here"}, clauses=["cites_source"]
    )
    assert (verdict.ruling, verdict.message) == (Ruling.EXCEPTED, "made up here")


def test_exception_that_is_not_needed_fails():
    (verdict,) = contracts.check(regularizers.L2, exceptions={"cites_source": "as before"}, clauses=["cites_source"])
    assert verdict.ruling == Ruling.FAILS
    assert "no longer needed: as before" in verdict.message


def test_clause_that_needs_another_backend_says_so(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    (verdict,) = contracts.check(optimizers.RAdam, clauses=["is_traced_once"])
    assert verdict.ruling == Ruling.NOT_APPLICABLE
    assert verdict.message.startswith("not on this backend (torch)")


def test_clause_on_the_factor_does_not_apply_where_there_is_none():
    (verdict,) = contracts.check(keras.regularizers.L1, clauses=["is_zero_at_factor_zero"])
    assert (verdict.ruling, verdict.message) == (Ruling.NOT_APPLICABLE, "there is no argument `factor`")


def test_kernels_that_a_class_excludes_may_be_refused():
    row = ROWS["SmoothKernel-rank-2"]
    (verdict,) = contracts.check(row.target, row.arguments, clauses=["takes_dense_kernels"])
    assert verdict.ruling == Ruling.NOT_APPLICABLE
    assert verdict.message.startswith("refused, as `default_kernels` says: ")


def test_learning_rate_schedule_is_no_violation():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.01, decay_steps=3, decay_rate=0.5)
    verdicts = contracts.check(optimizers.RAdam, {"learning_rate": schedule})
    assert {verdict.ruling for verdict in verdicts} == {Ruling.HOLDS}, verdicts


def test_optimizer_inside_may_be_named():
    for named in ("adam", {"class_name": "Adam", "config": {"learning_rate": 0.1}}):
        (verdict,) = contracts.check(optimizers.SignedPower, {"inner_optimizer": named}, clauses=["is_the_same_warm"])
        assert verdict.ruling == Ruling.HOLDS, verdict


def test_given_optimizer_is_left_as_it_was():
    inner = SGD(0.25, momentum=0.5)
    contracts.check(optimizers.Clipped, {"inner_optimizer": inner}, clauses=["survives_zero_gradients"])
    assert not inner.built
    assert float(inner.learning_rate) == 0.25


@pytest.mark.parametrize(
    ("target", "arguments", "message"),
    [
        (dict, {}, r"must be a subclass of .*\. Received: <class 'dict'>"),
        (SGD(), {}, r"must be a subclass of .*\. Received: <.*SGD"),
        (optimizers.DecoupledDecay, {}, "DecoupledDecay: a value is needed for `strength`"),
        (regularizers.L2, {"factr": 1}, r"L2: There is no argument `factr`. Did you mean `factor`?"),
        (regularizers.L2, {"factor": -1}, "L2 cannot be made: ValueError: `factor` must be"),
    ],
)
def test_what_cannot_be_checked_is_refused(target, arguments, message):
    with pytest.raises(DefinitionError, match=message):
        contracts.check(target, arguments)


def test_unknown_clause_is_refused():
    with pytest.raises(UnknownNameError, match=r"There is no clause `cites_sources`. Did you mean `cites_source`"):
        contracts.check(regularizers.L2, exceptions={"cites_sources": "why not"})
