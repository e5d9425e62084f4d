"""Runs with optimizers of PyTorch: against Keras's, closures, averages, and what is refused."""

import sys
import types

import numpy as np
import pytest

from regbench import guests
from regbench.errors import DefinitionError, UnknownNameError
from regbench.records import MINIBATCH, Outcome

from .runs import DECAYS, LOSS_ROUNDING, assert_counted_alike, furthest, part, trained

KERAS = part("sgd", learning_rate=0.01, momentum=0.9)
TORCH = part("torch:SGD", lr=0.01, momentum=0.9)
torch = sys.modules.get("torch")  # which must not be loaded after TensorFlow: see conftest.py


@pytest.fixture
def train(make_task, make_candidate):
    return lambda optimizer, *arguments, **named: trained(make_task, make_candidate, optimizer, *arguments, **named)


def test_momentum_is_that_of_keras_after_twenty_epochs(train):
    one, other = (train(optimizer, "quadratic_deep", 20) for optimizer in (KERAS, TORCH))
    assert furthest(one, other) < 1e-4


@pytest.mark.parametrize("decay", DECAYS.values(), ids=DECAYS)
def test_every_coupling_acts_as_with_keras(train, decay):
    one, other = (train(optimizer, decay=decay) for optimizer in (KERAS, TORCH))
    assert furthest(one, other) < LOSS_ROUNDING
    assert_counted_alike(one, other)


def test_wrapper_acts_as_with_keras(train):
    one, other = (
        train(part("clipped", threshold=0.1, inner_optimizer=optimizer), decay=DECAYS["decoupled"])
        for optimizer in (KERAS, TORCH)
    )
    assert furthest(one, other) < LOSS_ROUNDING


def test_schedule_is_that_of_optax_which_is_not_that_of_keras(train):
    pytest.importorskip("optax")
    optax = part("optax:sgd", learning_rate=0.05, momentum=0.9)
    one, other = (
        train(part("torch:SGD", lr=0.05, momentum=0.9), "digits_mlp", 3, "cosine"),
        train(optax, "digits_mlp", 3, "cosine"),
    )
    assert furthest(one, other) < LOSS_ROUNDING
    keras = train(part("sgd", learning_rate=0.05, momentum=0.9), "digits_mlp", 3, "cosine")
    assert furthest(one, keras) > 10 * LOSS_ROUNDING  # the rate is in Keras's velocity


def test_closures_evaluate_our_loss_at_the_weights_of_the_moment(train):
    """L-BFGS without memory and with one iteration a step is gradient descent; with more it is not."""
    lbfgs = part("torch:LBFGS", lr=0.05, max_iter=3, line_search_fn="strong_wolfe")
    result = train(lbfgs, "digits_mlp", 3)
    assert result.outcome == Outcome.COMPLETED
    assert result.gradient_evaluations > 2 * len(result.curves[MINIBATCH])
    assert result.curves["train_losses"][-1] < 0.5 * result.curves["train_losses"][0]


def test_sharpness_aware_minimization_is_two_gradients_of_our_loss(train):
    sam, plain = (
        part("pytorch_optimizer:SAM", rho=radius, lr=0.05, base_optimizer=part("torch:SGD", momentum=0.9))
        for radius in (0.5, 1e-9)
    )
    momentum = train(part("torch:SGD", lr=0.05, momentum=0.9))
    # With no radius it is its inner optimizer; the sum and difference of the perturbation round.
    assert furthest(train(plain), momentum) < 10 * LOSS_ROUNDING
    sharp = train(sam)
    assert furthest(sharp, momentum) > 1e-3
    assert furthest(train(sam, decay=DECAYS["decoupled"]), sharp) > 1e-3
    decayed = train(sam, decay=DECAYS["cautious"])
    assert decayed.gradient_evaluations == 2 * len(decayed.curves[MINIBATCH])


def test_warm_is_cold(train):
    settings = [part("torch:Adam", lr=rate, **{"betas.0": beta}) for rate, beta in ((0.01, 0.9), (0.1, 0.5))]
    cold = train(settings[0])
    assert train(settings[1]).curves != cold.curves
    assert train(settings[0]).curves == cold.curves


def test_average_is_evaluated_and_the_training_goes_on_from_where_it_was(bowl, walk_of):
    library = pytest.importorskip("pytorch_optimizer")
    guest = guests.guest_of(part("pytorch_optimizer:ScheduleFreeSGD", lr=0.1))
    weights = walk_of(guest, bowl, 5)[-1]
    averages = [np.from_dlpack(one) for one in guest.evaluated()]
    np.testing.assert_array_equal(np.from_dlpack(guest._outward()[1]), weights[1])
    plain = [torch.nn.Parameter(torch.from_numpy(one.copy())) for one in bowl.start]
    optimizer = library.ScheduleFreeSGD(plain, lr=0.1)
    optimizer.train()
    for step in range(5):
        for one, gradient in zip(plain, bowl.gradients([p.detach().numpy() for p in plain], step), strict=True):
            one.grad = torch.from_numpy(gradient)
        optimizer.step()
    optimizer.eval()
    for average, one in zip(averages, plain, strict=True):
        np.testing.assert_allclose(average, one.detach().numpy(), rtol=1e-12)


def test_convolutions_are_trained(train, make_task):
    muon = part(
        "torch:Muon",
        lr=0.01,
        weight_decay=0.0,
        apply_to="kernels",
        rest=part("torch:AdamW", lr=0.001, weight_decay=0.0),
    )
    result = train(muon, "mnist1d_cnn", 1)
    assert result.curves["train_losses"][-1] < result.curves["train_losses"][0]


def own_module(monkeypatch):
    module = types.ModuleType("own_torch")

    class Plain(torch.optim.Optimizer):
        def __init__(self, params, lr=0.01):
            super().__init__(params, {"lr": lr})

        @torch.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                for one in group["params"]:
                    self.take(one, group["lr"])

        def take(self, one, lr):
            one.add_(one.grad, alpha=-lr)

    class Reshaping(Plain):
        def take(self, one, lr):
            one.data = one.data.reshape(-1)

    class Widening(Plain):
        def take(self, one, lr):
            one.data = one.data.double()

    class NotANumber(Plain):
        def take(self, one, lr):
            one.fill_(float("nan"))

    class Raising(Plain):
        def take(self, one, lr):
            raise RuntimeError("out of ideas")

    class Extragradient(Plain):
        """Steps from where it is by the gradient at the place of a step ahead; it writes through `data`."""

        def step(self, closure):
            closure()
            for group in self.param_groups:
                before = [one.detach().clone() for one in group["params"]]
                for one in group["params"]:
                    one.data.sub_(group["lr"] * one.grad)
                closure()
                for one, old in zip(group["params"], before, strict=True):
                    one.data.copy_(old - group["lr"] * one.grad)
                    one.grad.zero_()
                closure_again = closure()  # elsewhere again
                assert closure_again is not None
                for one, old in zip(group["params"], before, strict=True):
                    one.data.copy_(old)
                    one.grad.zero_()
                closure()  # where it began, so with the first gradients
                for one in group["params"]:
                    one.data.sub_(group["lr"] * one.grad)

    for kind in (Plain, Reshaping, Widening, NotANumber, Raising, Extragradient):
        setattr(module, kind.__name__, kind)
    monkeypatch.setitem(sys.modules, "own_torch", module)


def test_closure_sees_weights_that_are_written_through_their_data(monkeypatch, bowl, walk_of, check_equal):
    own_module(monkeypatch)
    seen = []
    evaluated = type(bowl).gradients
    monkeypatch.setattr(type(bowl), "gradients", lambda self, *at: seen.append(1) or evaluated(self, *at))
    path = walk_of(guests.guest_of(part("own_torch:Extragradient", lr=0.1)), bowl, 3)
    # The last closure of a step gave the gradients of its beginning, so that it is one of gradient descent.
    weights, expected = bowl.start, []
    for step in range(3):
        weights = [w - 0.1 * g for w, g in zip(weights, evaluated(bowl, weights, step), strict=True)]
        expected.append(weights)
    check_equal(path, expected, bowl.start, 1e-12)
    assert len(seen) == 3 * 3  # of each step its own, and two elsewhere


def test_average_of_the_rest_is_evaluated_and_refuses_decay(bowl, walk_of):
    rest = part("pytorch_optimizer:ScheduleFreeAdamW", lr=0.1)
    guest = guests.guest_of(part("torch:Muon", lr=0.01, weight_decay=0.0, apply_to="kernels", rest=rest))
    assert "average" in guest.refuses_decay
    kernels, biases, *_ = walk_of(guest, bowl, 5)[-1]
    averages = [np.array(np.from_dlpack(one)) for one in guest.evaluated()]
    np.testing.assert_array_equal(averages[0], kernels)
    assert np.max(np.abs(averages[1] - biases)) > 1e-3


def test_own_class_is_known_by_what_it_is(train, monkeypatch):
    own_module(monkeypatch)
    assert furthest(train(part("own_torch:Plain", lr=0.01)), train(part("sgd", learning_rate=0.01))) < LOSS_ROUNDING


@pytest.mark.parametrize("name", ["Reshaping", "Widening"])
def test_changed_shape_or_type_is_refused(train, monkeypatch, name):
    own_module(monkeypatch)
    with pytest.raises(DefinitionError, match=f"own_torch:{name} must leave the shape and the type of a weight"):
        train(part(f"own_torch:{name}"))


def test_what_is_not_a_number_at_once_has_diverged(train, monkeypatch):
    own_module(monkeypatch)
    assert train(part("own_torch:NotANumber")).outcome == Outcome.DIVERGED


def test_what_is_raised_in_a_step_is_passed_on(train, monkeypatch):
    own_module(monkeypatch)
    with pytest.raises(RuntimeError, match="out of ideas"):
        train(part("own_torch:Raising"))


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (part("torch:AdmW"), r"optimizer.name: torch: There is no optimizer `AdmW`. Did you mean `AdamW`"),
        (part("torch:nn"), r"There is no optimizer `nn`"),
        (part("torch:Adam", beta=0.9), r"no argument `beta`. Did you mean `betas`"),
        (part("pytorch_optimizer:SOAP", bets=0.9), r"no argument `bets`. Did you mean `betas`"),
        (part("torch:SGD", weight_decay=0.1), r"optimizer.weight_decay: decay belongs into \[decay\]"),
        (part("torch:SparseAdam"), r"cannot be a guest: it takes sparse gradients only"),
        (part("pytorch_optimizer:SophiaH"), r"cannot be a guest: it wants the Hessian"),
        (part("pytorch_optimizer:SAM"), r"needs a value for `base_optimizer`"),
        (part("torch:Adam", apply_to="kernels"), r"optimizer.rest: must be the optimizer of the weights that"),
        (
            part("torch:Adam", apply_to="kernls", rest=TORCH),
            r"no selection of weights `kernls`. Did you mean `kernels`",
        ),
    ],
)
def test_bad_part_is_one_line(optimizer, message):
    with pytest.raises((DefinitionError, UnknownNameError), match=message) as caught:
        guests.guest_of(optimizer)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (part("torch:SGD", lr=-1.0), r"optimizer: torch:SGD: Invalid learning rate: -1.0"),
        (part("torch:Muon", weight_decay=0.0), r"2D.*\(`apply_to` and `rest` give it the kernels alone\)"),
        (part("torch:Adam", lr="high"), r"optimizer: torch:Adam: "),
    ],
)
def test_what_a_class_refuses_is_one_line(train, optimizer, message):
    with pytest.raises(DefinitionError, match=message):
        train(optimizer)
