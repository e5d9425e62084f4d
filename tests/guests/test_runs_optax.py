"""Runs with optimizers of optax: against Keras's, warm against cold, and what is refused."""

import sys
import types

import keras
import numpy as np
import pytest

from regbench import guests
from regbench.engine import program
from regbench.errors import DefinitionError, UnknownNameError
from regbench.records import Outcome, Part, Schedule

from .runs import DECAYS, LOSS_ROUNDING, assert_counted_alike, furthest, part, trained

KERAS = part("sgd", learning_rate=0.01, momentum=0.9)
OPTAX = part("optax:sgd", learning_rate=0.01, momentum=0.9)


@pytest.fixture
def train(make_task, make_candidate):
    return lambda optimizer, *arguments, **named: trained(make_task, make_candidate, optimizer, *arguments, **named)


def test_momentum_is_that_of_keras_after_twenty_epochs(train):
    one, other = (train(optimizer, "quadratic_deep", 20) for optimizer in (KERAS, OPTAX))
    assert furthest(one, other) < 1e-4


@pytest.mark.parametrize(
    "coupling", ["l2", "decoupled_momentum", "cautious", "lr_squared"]
)  # PyTorch's tests have the others
def test_decay_acts_as_with_keras(train, coupling):
    decay = DECAYS[coupling]
    one, other = (train(optimizer, decay=decay) for optimizer in (KERAS, OPTAX))
    assert furthest(one, other) < LOSS_ROUNDING
    assert_counted_alike(one, other)
    if decay.strength:
        assert furthest(train(OPTAX), other) > 10 * LOSS_ROUNDING


def test_regularizer_and_wrapper_act_as_with_keras(train):
    penalty = part("l2", factor=0.01)
    one, other = (
        train(part("signed_power", power=0.7, inner_optimizer=optimizer), regularizer=penalty)
        for optimizer in (KERAS, OPTAX)
    )
    assert furthest(one, other) < LOSS_ROUNDING


def test_schedule_acts_on_the_rate_and_a_restart_on_the_state(train):
    one, other = (train(part(name, learning_rate=0.05), "digits_mlp", 5, "cosine_wr") for name in ("sgd", "optax:sgd"))
    assert furthest(one, other) < LOSS_ROUNDING
    assert furthest(one, train(part("optax:sgd", learning_rate=0.05), "digits_mlp", 5)) > 10 * LOSS_ROUNDING


def test_schedule_of_steps_acts_as_with_keras_and_on_the_decay_too(train):
    one, other = (
        train(part(name, learning_rate=0.05), "digits_mlp", 1, "warmup_cosine", decay=DECAYS["timescale"])
        for name in ("sgd", "optax:sgd")
    )
    assert furthest(one, other) < LOSS_ROUNDING
    assert_counted_alike(one, other)


class ConvertedAdam(keras.optimizers.Adam):
    """Keras's Adam with its epsilon where Kingma and Ba's first form has it: outside the bias correction."""

    def update_step(self, gradient, variable, learning_rate):
        epsilon, step = self.epsilon, keras.ops.cast(self.iterations + 1, variable.dtype)
        self.epsilon = epsilon * keras.ops.sqrt(1 - keras.ops.power(self.beta_2, step))
        try:
            super().update_step(gradient, variable, learning_rate)
        finally:
            self.epsilon = epsilon


def test_adam_differs_by_where_epsilon_stands(train, monkeypatch):
    module = types.ModuleType("converted")
    module.ConvertedAdam = ConvertedAdam
    monkeypatch.setitem(sys.modules, "converted", module)
    arguments = {"learning_rate": 0.01, "epsilon": 1e-3}
    converted, plain = (train(part(name, **arguments)) for name in ("converted:ConvertedAdam", "adam"))
    guest = train(part("optax:adam", learning_rate=0.01, eps=1e-3))
    assert furthest(converted, guest) < 10 * LOSS_ROUNDING
    assert furthest(plain, guest) > 1e-3


def test_warm_is_cold_and_is_compiled_once(train):
    pytest.importorskip("optax")
    from regbench.guests import optax as guests_of_optax

    settings = [part("optax:adam", learning_rate=rate, b1=beta, eps=1e-7) for rate, beta in ((0.01, 0.9), (0.1, 0.5))]
    program.forget()
    guests_of_optax._kept.clear()
    cold = train(settings[0])
    train(settings[1])
    assert train(settings[0]).curves == cold.curves
    (update,) = guests_of_optax._kept.values()
    assert update._cache_size() == 1


def test_numbers_in_tuples_and_whole_ones_for_floats_are_compiled_once(bowl, walk_of):
    from regbench.guests import optax as guests_of_optax

    guests_of_optax._kept.clear()
    paths = [
        walk_of(guests.guest_of(part("optax.contrib:prodigy", learning_rate=1.0, **{"betas.0": beta})), bowl, 4)
        for beta in (0.9, 0.5, 1, 0.9)
    ]
    assert np.array_equal(paths[0][-1][0], paths[3][-1][0])
    assert not np.array_equal(paths[0][-1][0], paths[1][-1][0])
    (update,) = guests_of_optax._kept.values()
    assert update._cache_size() == 1


def deciding(learning_rate=0.1, power=0.5, beta=0.9):
    """Python decides by `power`, which so cannot be a tensor."""
    import optax

    inner = optax.trace(beta) if power > 0.7 else optax.identity()
    return optax.chain(inner, optax.scale_by_learning_rate(learning_rate))


def test_number_that_decides_in_python_is_compiled_for_and_the_others_are_not(bowl, walk_of, monkeypatch):
    import optax

    from regbench.guests import optax as guests_of_optax

    module = types.ModuleType("deciding_optax")
    module.optax, module.deciding = optax, deciding
    monkeypatch.setitem(sys.modules, "deciding_optax", module)
    monkeypatch.setattr(
        "regbench.guests.imports_of", lambda name: "optax"
    )  # it has no file whose imports could be read
    settings = [{"power": power, "learning_rate": rate} for power in (0.5, 0.9) for rate in (0.1, 0.2)]
    made = [guests.guest_of(part("deciding_optax:deciding", **setting)) for setting in settings]
    paths = [walk_of(guest, bowl, 3)[-1][0] for guest in made]
    assert {frozenset(guest._injected) for guest in made} == {frozenset({"learning_rate", "beta"})}
    assert len({guest._update for guest in made}) == 2
    assert len(guests_of_optax._kept) <= guests_of_optax._KEPT
    start, gradients = bowl.start[0], bowl.gradients(bowl.start, 0)[0]
    assert len({path.tobytes() for path in paths}) == 4
    first = walk_of(made[1], bowl, 1)[0][0]
    np.testing.assert_allclose(first, start - 0.2 * gradients, rtol=1e-5, atol=1e-6)


def test_what_jax_compiles_is_not_counted_as_training(train, monkeypatch):
    from regbench.engine.hosting import GuestTraining
    from regbench.guests import optax as guests_of_optax

    program.forget()
    guests_of_optax._kept.clear()
    sizes, epoch = [], GuestTraining.epoch

    def counting(*arguments):
        (update,) = guests_of_optax._kept.values()
        sizes.append(update._cache_size())
        return epoch(*arguments)

    monkeypatch.setattr(GuestTraining, "epoch", counting)
    train(part("optax:sgd", learning_rate=0.01))
    assert sizes == [1]


def test_schedule_free_is_evaluated_at_its_average_and_goes_on_from_where_it_was(bowl, walk_of):
    optax = pytest.importorskip("optax.contrib")
    guest = guests.guest_of(part("optax.contrib:schedule_free_sgd", learning_rate=0.1))
    weights = walk_of(guest, bowl.__class__("float32"), 5)[-1]
    state = next(one for one in guest._state if isinstance(one, optax.ScheduleFreeState))
    averages = [np.asarray(one) for one in guest.evaluated()]
    # x = (y - (1 - b1) z) / b1
    for average, y, z in zip(averages, weights, state.z, strict=True):
        np.testing.assert_allclose(average, (y - 0.1 * np.asarray(z)) / 0.9, rtol=1e-4, atol=1e-6)
        assert np.max(np.abs(average - y)) > 1e-3


def test_run_of_schedule_free_evaluates_other_weights_than_it_trains(train, monkeypatch):
    optimizer = part("optax.contrib:schedule_free_adamw", learning_rate=0.01)
    longer, shorter = (train(optimizer, "digits_mlp", epochs) for epochs in (3, 2))
    steps = len(shorter.curves["minibatch_train_losses"])
    assert longer.curves["minibatch_train_losses"][:steps] == shorter.curves["minibatch_train_losses"]
    from regbench.guests.optax import OptaxGuest

    monkeypatch.setattr(OptaxGuest, "evaluated", lambda guest: None)
    stepped = train(optimizer, "digits_mlp", 2)
    assert stepped.curves["minibatch_train_losses"] == shorter.curves["minibatch_train_losses"]
    assert stepped.curves["test_losses"][0] == shorter.curves["test_losses"][0]
    assert stepped.curves["test_losses"][1:] != shorter.curves["test_losses"][1:]


def test_restart_of_schedule_free_goes_on_from_what_was_trained(train, monkeypatch):
    from regbench.guests.optax import OptaxGuest

    optimizer = part("optax.contrib:schedule_free_adamw", learning_rate=0.01)
    schedule = Schedule(name="step", epochs=(1,), factors=(1.0,), restart=True)
    shown = train(optimizer, "digits_mlp", 2, schedule)
    monkeypatch.setattr(OptaxGuest, "evaluated", lambda guest: None)
    hidden = train(optimizer, "digits_mlp", 2, schedule)
    assert shown.curves["minibatch_train_losses"] == hidden.curves["minibatch_train_losses"]
    assert shown.curves["test_losses"][1:] != hidden.curves["test_losses"][1:]


def test_loss_is_told_to_what_asks_for_it(train):
    result = train(part("optax:polyak_sgd", max_learning_rate=0.1), "digits_mlp", 3)
    assert result.outcome == Outcome.COMPLETED
    assert result.curves["train_losses"][-1] < result.curves["train_losses"][0]


def test_divergence_is_an_outcome(train):
    assert train(part("optax:sgd", learning_rate=1e9), "digits_mlp", 2).outcome == Outcome.DIVERGED
    assert train(part("optax:sgd", learning_rate=1e38), "digits_mlp", 2).outcome == Outcome.DIVERGED


def test_versions_are_on_record(train):
    assert {"optax", "jax", "tensorflow"} <= train(OPTAX).environment.keys()


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (
            part("optax:adm", learning_rate=0.1),
            r"optimizer.name: optax: There is no optimizer `adm`. Did you mean `adam`",
        ),
        (part("optax:adam", learning_rate=0.1, beta=0.9), r"no argument `beta`. (Did you mean|Known)"),
        (part("optax:adam"), r"optax:adam needs a value for `learning_rate`"),
        (
            part("optax:adamw", learning_rate=0.1, weight_decay=0.1),
            r"optimizer.weight_decay: decay belongs into \[decay\]",
        ),
        (part("optax:apply_updates"), r"needs a value for|must return a GradientTransformation"),
        (part("optax:sophia", learning_rate=0.1), r"no optimizer|cannot be a guest: it wants the Hessian"),
        (part("optax:lbfgs"), r"cannot be a guest: it wants to evaluate the loss"),
        (part("optax.contrib:prodigy", **{"betas.2": 0.9}), r"`betas` must be a tuple with that place"),
        (part("optax.contrib:prodigy", **{"beta.0": 0.9}), r"no argument `beta`. Did you mean `betas`"),
    ],
)
def test_bad_part_is_one_line(optimizer, message):
    with pytest.raises((DefinitionError, UnknownNameError), match=message) as caught:
        guests.guest_of(optimizer)
    assert "\n" not in str(caught.value)


def test_what_acts_after_the_step_is_refused_around_a_guest(train):
    with pytest.raises(DefinitionError, match="`Lookahead` must not be around optax:sgd: it acts on the weights after"):
        train(part("lookahead", inner_optimizer=OPTAX))


def test_decay_from_outside_is_refused_where_an_average_is_evaluated(train):
    optimizer = part("optax.contrib:schedule_free_sgd", learning_rate=0.1)
    with pytest.raises(
        DefinitionError, match=r"decay.coupling: must be none or l2 with optax.contrib:schedule_free_sgd"
    ):
        train(optimizer, decay=DECAYS["decoupled"])


@pytest.mark.parametrize("outer", [{"name": "optax.contrib:mechanize"}, {"name": "optax.contrib:schedule_free"}])
def test_schedule_needs_a_rate_that_it_can_change(train, outer):
    # That of an optimizer inside is a constant in its closure.
    rate = {"learning_rate": 0.01} if outer["name"].endswith("schedule_free") else {}
    optimizer = Part(**outer, arguments={"base_optimizer": OPTAX, **rate})
    with pytest.raises(DefinitionError, match=r"has no learning rate, which the schedule cosine"):
        train(optimizer, schedule="cosine")


def test_name_without_a_library_is_told_as_such():
    inner = Part(name="optax.contrib:schedule_free", arguments={"base_optimizer": part("sgd"), "learning_rate": 0.1})
    with pytest.raises(
        DefinitionError, match=r"base_optimizer.name: must be library:name or module:name. Received: 'sgd'"
    ):
        guests.guest_of(inner)


def test_missing_extra_is_told_with_its_command(monkeypatch):
    monkeypatch.setattr("regbench.guests.versions.find_spec", lambda name: None)
    with pytest.raises(DefinitionError, match=r"need the packages optax and jax: pip install 'regbench\[optax\]'"):
        guests.check_installed(part("signed_power", power=0.5, inner_optimizer=OPTAX))


def test_own_decay_is_switched_off_and_said():
    guest = guests.guest_of(part("optax:lion", learning_rate=0.1))
    assert guest.notices == [
        "optax:lion: its own decay, on by default (weight_decay=0.001), is off: decay belongs into [decay], where its "
        "coupling is stated"
    ]
    assert guest.values["weight_decay"] == 0
    assert guests.guest_of(part("optax:sgd", learning_rate=0.1)).notices == []
    kept = guests.guest_of(part("optax:lion", learning_rate=0.1, weight_decay=0.2), keeps_decay=True)
    assert (kept.values["weight_decay"], kept.notices) == (0.2, [])
