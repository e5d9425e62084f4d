"""The couplings of decoupled decay, and what they have in common with each other and with L2 regularization."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras.optimizers import SGD, Adadelta, Adam, AdamW, RMSprop

from regbench.optimizers import DecoupledDecay, SignedPower

COUPLINGS = ["decoupled", "decoupled_momentum", "decoupled_constant", "lr_squared", "cautious"]
PEAK = 0.5


def factor(coupling, strength, learning_rate, momentum):
    return {
        "decoupled": learning_rate * strength,
        "decoupled_momentum": learning_rate / (1 - momentum) * strength,
        "decoupled_constant": strength,
        "lr_squared": learning_rate**2 / PEAK * strength,
        "cautious": learning_rate * strength,
    }[coupling]


def reference(weights, gradients, decay, learning_rate, momentum, is_cautious=False):
    """Decays kernels (rank 2 and more) by `decay` before each step of heavy-ball momentum, or cautiously after it."""
    weights = [array.copy() for array in weights]
    velocities = [np.zeros_like(array) for array in weights]
    course = []
    for step, arrays in enumerate(gradients):
        rate = learning_rate(step)
        for weight, velocity, array in zip(weights, velocities, arrays, strict=True):
            before = weight.copy()
            if weight.ndim >= 2 and not is_cautious:
                weight -= decay(rate) * weight
            velocity[...] = momentum * velocity - rate * array
            weight += velocity
            if weight.ndim >= 2 and is_cautious:
                # A step of 1e-12 is lost in a float32 weight, and counts as none.
                agrees = (np.float32(before) - np.float32(weight)) * before >= 0
                weight[agrees] -= decay(rate) * before[agrees]
        course.append([array.copy() for array in weights])
    return course


def decayed(inner, coupling, strength=0.1, **others):
    peak = {"peak_learning_rate": PEAK} if coupling == "lr_squared" else {}
    return DecoupledDecay(inner, strength=strength, coupling=coupling, **peak, **others)


@pytest.mark.parametrize("coupling", COUPLINGS)
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_steps_follow_the_formula(coupling, momentum, weights, gradients, trajectory, assert_agrees):
    optimizer = decayed(SGD(0.25, momentum=momentum), coupling)
    expected = reference(
        weights,
        gradients,
        lambda rate: factor(coupling, 0.1, rate, momentum),
        lambda step: 0.25,
        momentum,
        coupling == "cautious",
    )
    assert_agrees(trajectory(optimizer, weights, gradients), expected)


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_decay_follows_the_schedule_of_the_learning_rate(coupling, weights, gradients, trajectory, assert_agrees):
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([2, 5], [0.5, 0.25, 0.125])
    optimizer = decayed(SGD(schedule, momentum=0.5), coupling)

    def rate(step):
        return 0.5 if step <= 2 else 0.25 if step <= 5 else 0.125

    expected = reference(
        weights, gradients, lambda lr: factor(coupling, 0.1, lr, 0.5), rate, 0.5, coupling == "cautious"
    )
    assert_agrees(trajectory(optimizer, weights, gradients), expected)


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_strength_zero_is_the_inner_optimizer_to_the_bit(coupling, weights, gradients, trajectory, assert_identical):
    plain = trajectory(SGD(0.25, momentum=0.9), weights, gradients)
    wrapped = decayed(SGD(0.25, momentum=0.9), coupling, strength=0.0, apply_to="all")
    assert_identical(trajectory(wrapped, weights, gradients), plain)


def test_decoupled_is_the_weight_decay_of_keras_adamw(weights, gradients, trajectory, assert_agrees):
    adamw = trajectory(AdamW(0.1, weight_decay=0.5), weights, gradients)
    wrapped = DecoupledDecay(Adam(0.1), strength=0.5, apply_to="all")
    assert_agrees(trajectory(wrapped, weights, gradients), adamw)


def train_quadratic(optimizer, l2=0.0, steps=50):
    """Minimises a quadratic around 1, plus l2 / 2 * sum(w**2), over w of shape (1, 3)."""
    curvature = np.array([1.0, 0.5, 0.1], "float32")
    theta = keras.Variable([[2.0, -1.0, 0.5]])
    for _ in range(steps):
        value = np.asarray(theta)
        gradient = curvature * (value - 1) + l2 * value
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [theta])
    return np.asarray(theta)[0].astype("float64")


def test_l2_and_decoupled_are_one_trajectory_for_plain_sgd_at_a_constant_rate():
    # w - lr (g + l w) = (w - lr l w) - lr g. Rounded differently: 50 steps of 6 roundings, half a unit of |w| <= 2
    # each; the contraction of the quadratic does not let them grow.
    l2 = train_quadratic(SGD(0.1), l2=0.2)
    decoupled = train_quadratic(DecoupledDecay(SGD(0.1), strength=0.2))
    np.testing.assert_allclose(decoupled, l2, rtol=0, atol=50 * 6 * 2 * np.finfo("float32").eps / 2)


@pytest.mark.parametrize("nesterov", [False, True])
def test_decoupled_momentum_has_the_stationary_point_of_l2_under_momentum(nesterov):
    # L2 rests where g + l w = 0, for every mu. With decay factor s and velocity v, w rests where s w = v and
    # v = mu v - lr g, so s w = -lr g / (1 - mu): with s = lr l / (1 - mu) again g + l w = 0. Nesterov's step is
    # mu v - lr g = v at rest, the same. With s = lr l ("decoupled") it is g + (1 - mu) l w = 0: a quarter of the decay.
    # Here g = q (w - 1), so w = q / (q + l).
    curvature, strength = np.array([1.0, 0.5, 0.1]), 0.2

    def final(coupling):
        inner = SGD(0.2, momentum=0.75, nesterov=nesterov)
        return train_quadratic(DecoupledDecay(inner, strength=strength, coupling=coupling), steps=200)

    # (w, v) is multiplied by a matrix of determinant mu (1 - s) with complex eigenvalues, below 0.85: 1e-14 after 200
    # steps (Nesterov less). What is left is rounding, a unit or so of w a step, which adds up over the
    # 1 / (1 - 0.85) = 7 steps that the iteration remembers.
    tolerance = 14 * np.finfo("float32").eps
    np.testing.assert_allclose(final("decoupled_momentum"), curvature / (curvature + strength), atol=tolerance)
    np.testing.assert_allclose(final("decoupled"), curvature / (curvature + 0.25 * strength), atol=tolerance)


def test_decoupled_momentum_shrinks_like_l2_where_the_gradient_is_flat(trajectory):
    # Heavy ball on l/2 w**2 alone: w_{t+1} = (1 + mu - e) w_t - mu w_{t-1} with e = lr l, whose slow root is
    # z = 1 - e / (1 - mu) - mu e**2 / (1 - mu)**3 + O(e**3). Decoupled: 1 - e / (1 - mu) exactly.
    rate, momentum, strength, steps = 0.01, 0.9, 0.05, 400
    e = rate * strength
    flat = [[np.zeros((1, 1))]] * steps
    optimizer = DecoupledDecay(SGD(rate, momentum=momentum), strength=strength, coupling="decoupled_momentum")
    course = [arrays[0].item() for arrays in trajectory(optimizer, [np.ones((1, 1))], flat)]
    decoupled = np.log(course[-1] / course[steps // 2 - 1]) / (steps // 2)

    weight, velocity, l2_course = 1.0, 0.0, []
    for _ in range(steps):
        velocity = momentum * velocity - rate * strength * weight
        weight += velocity
        l2_course.append(weight)
    l2 = np.log(l2_course[-1] / l2_course[steps // 2 - 1]) / (steps // 2)  # past the transient mu**200 = 7e-10

    second_order = momentum * e**2 / (1 - momentum) ** 3
    assert abs(decoupled - l2) < 1.2 * second_order < 0.06 * abs(l2)


@pytest.mark.parametrize(
    ("inner", "momentum"),
    [
        (SGD(0.5, momentum=0.75), 0.75),
        (RMSprop(0.5, momentum=0.5), 0.5),
        (Adam(0.5, beta_1=0.875), 0.875),
        (Adadelta(0.5), 0.0),
        (SignedPower(SGD(0.5, momentum=0.75)), 0.75),
    ],
    ids=["sgd", "rmsprop", "adam", "adadelta", "wrapped"],
)
def test_momentum_is_that_of_the_innermost_optimizer(inner, momentum, trajectory):
    optimizer = DecoupledDecay(inner, strength=0.0625, coupling="decoupled_momentum")
    ((after,),) = trajectory(optimizer, [np.ones((1, 1))], [[np.zeros((1, 1))]])
    assert after.item() == 1 - 0.5 / (1 - momentum) * 0.0625  # powers of two: exact


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"strength": -0.1}, "`strength` must be non-negative and finite. Received: strength=-0.1"),
        (
            {"strength": 0.1, "coupling": "l2"},
            "`coupling` must be one of .*'decoupled_constant'.*Received: coupling='l2'",
        ),
    ],
)
def test_arguments_are_validated(arguments, message):
    with pytest.raises(ValueError, match=message):
        DecoupledDecay(SGD(), **arguments)


def test_momentum_one_has_no_momentum_scaled_decay():
    with pytest.raises(ValueError, match="Momentum must be below 1"):
        DecoupledDecay(SGD(momentum=1.0), strength=0.1, coupling="decoupled_momentum")


def test_lr_squared_is_decoupled_at_a_constant_rate(weights, gradients, trajectory, assert_agrees):
    plain = trajectory(DecoupledDecay(SGD(0.25, momentum=0.9), strength=0.1), weights, gradients)
    squared = DecoupledDecay(SGD(0.25, momentum=0.9), strength=0.1, coupling="lr_squared")  # its peak is the rate
    assert squared.peak_learning_rate == 0.25
    assert_agrees(trajectory(squared, weights, gradients), plain)


def test_constant_is_decoupled_with_the_rate_in_its_strength(weights, gradients, trajectory, assert_agrees):
    plain = trajectory(DecoupledDecay(SGD(0.25), strength=0.1), weights, gradients)
    constant = DecoupledDecay(SGD(0.25), strength=0.025, coupling="decoupled_constant")
    assert_agrees(trajectory(constant, weights, gradients), plain)


def test_cautious_decays_a_weight_that_the_step_leaves_alone_and_none_that_it_moves_away(trajectory):
    # rate 1/2, strength 1/4: w = 2 of gradients 0, 1, -1: 2 - 1/8 * 2, 2 - 1/2 - 1/4, 2 + 1/2.
    optimizer = DecoupledDecay(SGD(0.5), strength=0.25, coupling="cautious")
    start = np.array([[2.0, 2.0, 2.0, -2.0, -2.0, 0.0]])
    ((after,),) = trajectory(optimizer, [start], [[np.array([[0.0, 1.0, -1.0, 1.0, -1.0, 1.0]])]])
    assert after.tolist() == [[1.75, 1.25, 2.5, -2.5, -1.25, -0.5]]


def test_cautious_asks_an_optimizer_that_offers_its_step_before_a_mask(trajectory):
    class Masked(SGD):
        """Takes no step, and says which it would have taken."""

        def update_step(self, gradient, variable, learning_rate):
            self.wanted = learning_rate * gradient

        def unmasked_step(self, variable):
            return self.wanted

    optimizer = DecoupledDecay(Masked(0.5), strength=0.25, coupling="cautious")
    ((after,),) = trajectory(optimizer, [np.array([[2.0, 2.0]])], [[np.array([[1.0, -1.0]])]])
    assert after.tolist() == [[1.75, 2.0]]


def test_cautious_decays_by_the_weight_before_the_step_and_not_after_it(trajectory):
    optimizer = DecoupledDecay(SGD(1.0), strength=0.5, coupling="cautious")
    ((after,),) = trajectory(optimizer, [np.array([[1.0]])], [[np.array([[3.0]])]])
    assert after.item() == 1.0 - 3.0 - 0.5 * 1.0


def test_peak_rate_belongs_to_lr_squared_and_must_be_known():
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([2], [0.5, 0.25])
    message = "`peak_learning_rate` must be given where the learning rate is a schedule. Received: a Piecewise"
    with pytest.raises(ValueError, match=message):
        DecoupledDecay(SGD(schedule), strength=0.1, coupling="lr_squared")
    with pytest.raises(ValueError, match=r"belongs to coupling=.lr_squared.. Received: peak_learning_rate=0.5"):
        DecoupledDecay(SGD(), strength=0.1, peak_learning_rate=0.5)
    with pytest.raises(ValueError, match=r"must be positive and finite. Received: peak_learning_rate=0.0"):
        DecoupledDecay(SGD(), strength=0.1, coupling="lr_squared", peak_learning_rate=0.0)
