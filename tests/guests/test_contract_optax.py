"""The contract of guests holds for optax's, and notices who does not keep it."""

import sys
import types

import pytest

from regbench import contracts
from regbench.contracts import Ruling
from regbench.errors import DefinitionError

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")


def not_held(verdicts):
    return {verdict.clause for verdict in verdicts if verdict.ruling == Ruling.FAILS}


def test_every_clause_holds_for_adam():
    verdicts = contracts.check_guest("optax:adam")
    assert {verdict.ruling for verdict in verdicts} == {Ruling.HOLDS}, verdicts


def test_known_fault_is_an_exception_with_its_reason():
    verdicts = {verdict.clause: verdict for verdict in contracts.check_guest("optax.contrib:prodigy")}
    assert verdicts["survives_zero_gradients"].ruling == Ruling.EXCEPTED
    assert "divides 0 by 0" in verdicts["survives_zero_gradients"].message
    assert not not_held(verdicts.values())


def decaying(learning_rate):
    return optax.chain(optax.add_decayed_weights(0.1), optax.sgd(learning_rate))


def climbing(learning_rate):
    return optax.scale(learning_rate)


def widening(learning_rate):
    return optax.stateless(lambda updates, _: [update[None] for update in updates])


steps = []


def counting(learning_rate):
    def begin(_):
        steps.append(1)
        return jax.numpy.asarray(float(len(steps)))

    return optax.GradientTransformation(
        begin, lambda updates, state, _=None: ([-learning_rate * state * update for update in updates], state)
    )


def deaf(learning_rate):
    return optax.sgd(0.1 + 0 * learning_rate)


def dividing(learning_rate):
    return optax.stateless(
        lambda updates, _: [-learning_rate * update / jax.numpy.linalg.norm(update.ravel()) for update in updates]
    )


@pytest.mark.parametrize(
    ("function", "clause"),
    [
        (decaying, "leaves_decay_to_us"),
        (climbing, "lowers_a_convex_loss"),
        (counting, "keeps_nothing_between_runs"),
        (deaf, "follows_the_schedule"),
        (dividing, "survives_zero_gradients"),
        (widening, "keeps_dtype_and_shapes"),
    ],
)
def test_planted_fault_is_found(monkeypatch, function, clause):
    module = types.ModuleType("planted_optax")
    module.optax, module.planted = optax, function
    monkeypatch.setitem(sys.modules, "planted_optax", module)
    monkeypatch.setattr(
        "regbench.guests.imports_of", lambda name: "optax"
    )  # it has no file whose imports could be read
    found = not_held(contracts.check_guest("planted_optax:planted"))
    # With another shape no clause can be examined.
    assert found == {clause} or (function is widening and clause in found)


def test_only_guests_are_examined():
    with pytest.raises(DefinitionError, match=r"There is no optimizer `nothing`"):
        contracts.check_guest("optax:nothing")
