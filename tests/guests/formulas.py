"""The conventions as formulas in NumPy, written from the papers and the frameworks' documents, not from their code.

A rule takes a step of one array: `rule(state, weight, gradient, rate, t)`, with t from 1.
"""

import numpy as np

B1, B2 = 0.9, 0.999


def corrections(t, is_of_keras):
    """Of the bias of both moments at step t; Keras takes the powers of betas that it has rounded to float32."""
    betas = (float(np.float32(beta)) if is_of_keras else beta for beta in (B1, B2))
    return [1 - beta**t for beta in betas]


def momentum(beta, is_rate_inside, is_nesterov=False):
    """Keras: v = beta v - rate g, w += v. PyTorch and optax: v = beta v + g, w -= rate v."""

    def rule(state, w, g, rate, t):
        scale = rate if is_rate_inside else 1.0
        v = state["v"] = beta * state.get("v", 0.0) + scale * g
        ahead = beta * v + scale * g if is_nesterov else v
        return w - (1.0 if is_rate_inside else rate) * ahead

    return rule


def adam(epsilon, is_of_keras=False, maximum=""):
    """Kingma and Ba's Algorithm 1; of Keras the efficient form at the end of their section 2, with epsilon-hat.

    maximum: of the second moments, "raw" or "corrected".
    """

    def rule(state, w, g, rate, t):
        m = state["m"] = B1 * state.get("m", 0.0) + (1 - B1) * g
        v = state["v"] = B2 * state.get("v", 0.0) + (1 - B2) * g * g
        first, second = corrections(t, is_of_keras)
        corrected = v / second
        if maximum == "corrected":
            corrected = state["max"] = np.maximum(state.get("max", 0.0), corrected)
        elif maximum == "raw":
            v = state["max"] = np.maximum(state.get("max", 0.0), v)
            corrected = v / second
        root = np.sqrt(corrected) + epsilon / (np.sqrt(second) if is_of_keras else 1.0)
        return w - rate * m / first / root

    return rule


def decoupled(rule, strength):
    def decaying(state, w, g, rate, t):
        return rule(state, w - rate * strength * w, g, rate, t)

    return decaying


def nadam(epsilon, decay, is_of_keras=False):
    """Dozat's, with mu_t = B1 (1 - 0.96**(decay t) / 2); without a schedule mu_t = B1."""

    def mu(t):
        return B1 * (1 - 0.5 * 0.96 ** (decay * t)) if decay else B1

    def rule(state, w, g, rate, t):
        m = state["m"] = B1 * state.get("m", 0.0) + (1 - B1) * g
        v = state["v"] = B2 * state.get("v", 0.0) + (1 - B2) * g * g
        product = state["product"] = state.get("product", 1.0) * mu(t)
        ahead = mu(t + 1) * m / (1 - product * mu(t + 1)) + (1 - mu(t)) * g / (1 - product)
        root = np.sqrt(v / corrections(t, is_of_keras)[1]) + epsilon
        return w - rate * ahead / root

    return rule


def rmsprop(rho, epsilon, is_inside, beta=0.0):
    """Inside: the root of v + epsilon, and with momentum the rate in the buffer."""

    def rule(state, w, g, rate, t):
        v = state["v"] = rho * state.get("v", 0.0) + (1 - rho) * g * g
        scaled = g / (np.sqrt(v + epsilon) if is_inside else np.sqrt(v) + epsilon)
        b = state["b"] = beta * state.get("b", 0.0) + (rate if is_inside else 1.0) * scaled
        return w - (1.0 if is_inside else rate) * b

    return rule


def adagrad(start, epsilon, is_inside):
    def rule(state, w, g, rate, t):
        v = state["v"] = state.get("v", start) + g * g
        return w - rate * g / (np.sqrt(v + epsilon) if is_inside else np.sqrt(v) + epsilon)

    return rule


def norm(array):
    return np.linalg.norm(array, axis=-1, keepdims=True)


def lamb(epsilon, strength, is_inside):
    """Inside: the decay is part of what the trust ratio scales."""

    def rule(state, w, g, rate, t):
        if not is_inside:
            w = w - rate * strength * w
        m = state["m"] = B1 * state.get("m", 0.0) + (1 - B1) * g
        v = state["v"] = B2 * state.get("v", 0.0) + (1 - B2) * g * g
        update = m / (1 - B1**t) / (np.sqrt(v / (1 - B2**t)) + epsilon) + (strength * w if is_inside else 0.0)
        return w - rate * norm(w) / norm(update) * update

    return rule


def path(rule, start, curvatures, noise, rates):
    """The arrays after each step; their last axis is one weight's, any before it are of functions side by side."""
    weights, states, steps = [w.copy() for w in start], [{} for _ in start], []
    for t, (rate, noises) in enumerate(zip(rates, noise, strict=True), start=1):
        gradients = [c * w + n for c, w, n in zip(curvatures, weights, noises, strict=True)]
        weights = [rule(s, w, g, rate, t) for s, w, g in zip(states, weights, gradients, strict=True)]
        steps.append(np.concatenate(weights, axis=-1))
    return np.array(steps)


def difference(one, other, start, curvatures, noise, rates):
    """The largest of any step and entry, as a share of the largest distance that the other travels."""
    first, second = (path(rule, start, curvatures, noise, rates) for rule in (one, other))
    travelled = np.max(np.abs(second[-1] - np.concatenate(start, axis=-1)), axis=-1)
    return np.max(np.abs(first - second), axis=(0, -1)) / travelled
