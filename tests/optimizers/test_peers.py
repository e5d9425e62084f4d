"""The same steps as the implementations that others use, in double precision there and in float32 here.

Neither package is a dependency. To run this file:

    pip install torch==2.13.0 pytorch-optimizer==4.1.0
    KERAS_BACKEND=torch pytest -W ignore::DeprecationWarning tests/optimizers/test_peers.py

With these versions (CPU, Python 3.11, Keras 3.15.1) all of it passed, with KERAS_BACKEND=jax too. The warnings to
ignore are NumPy's about the way in which Keras reads the variables of these back ends.
"""

from __future__ import annotations

import pytest
from keras.optimizers import SGD, Adam

from regbench.optimizers import AdaBelief, AdaBound, AMSBound, DecoupledDecay, Lookahead, RAdam

torch = pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")
peers = pytest.importorskip("pytorch_optimizer", reason="compares with pytorch-optimizer, which is not installed")

PAIRS = {
    "radam": (
        lambda: RAdam(0.25, beta_2=0.99, epsilon=1e-8, sma_threshold=5.0),
        lambda parameters: torch.optim.RAdam(parameters, lr=0.25, betas=(0.9, 0.99), eps=1e-8),
    ),
    "adabelief": (
        lambda: AdaBelief(0.25, beta_2=0.99, epsilon=1e-8),
        lambda parameters: peers.AdaBelief(parameters, lr=0.25, betas=(0.9, 0.99), eps=1e-8, rectify=False),
    ),
    "adabound": (
        lambda: AdaBound(0.25, final_learning_rate=0.5, gamma=0.1),
        lambda parameters: peers.AdaBound(parameters, lr=0.25, final_lr=0.5, gamma=0.1),
    ),
    "amsbound": (
        lambda: AMSBound(0.25, beta_2=0.5, final_learning_rate=0.5, gamma=0.01),
        lambda parameters: peers.AdaBound(
            parameters, lr=0.25, betas=(0.9, 0.5), final_lr=0.5, gamma=0.01, ams_bound=True
        ),
    ),
    "lookahead": (
        lambda: Lookahead(SGD(0.25, momentum=0.9), sync_period=3, slow_step_size=0.3),
        lambda parameters: peers.Lookahead(torch.optim.SGD(parameters, lr=0.25, momentum=0.9), k=3, alpha=0.3),
    ),
    # Keras adds epsilon before the bias correction, PyTorch after it: one too small to matter.
    "decoupled_decay": (
        lambda: DecoupledDecay(Adam(0.25, beta_2=0.9, epsilon=1e-30), strength=0.3, apply_to="all"),
        lambda parameters: torch.optim.AdamW(parameters, lr=0.25, betas=(0.9, 0.9), eps=1e-30, weight_decay=0.3),
    ),
}


@pytest.mark.parametrize(("build", "build_peer"), PAIRS.values(), ids=PAIRS.keys())
def test_steps_are_those_of_the_peer(build, build_peer, weights, gradients, trajectory, assert_agrees):
    parameters = [torch.nn.Parameter(torch.tensor(array, dtype=torch.float64)) for array in weights]
    peer, course = build_peer(parameters), []
    for arrays in gradients:
        for parameter, array in zip(parameters, arrays, strict=True):
            parameter.grad = torch.tensor(array, dtype=torch.float64)
        peer.step()
        course.append([parameter.detach().numpy().copy() for parameter in parameters])
    # The moments' 20 operations; and Keras's Adam computes 1 - 0.9**t with an error of up to 6e-8 / 0.1 of it.
    assert_agrees(trajectory(build(), weights, gradients), course, operations=20 + 10)
