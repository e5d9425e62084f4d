"""Each bundled guest of PyTorch takes the steps that its library takes by itself, in PyTorch's layout of kernels."""

import sys

import numpy as np
import pytest

from regbench import catalog, guests
from regbench.benchmark.tasks import Task
from regbench.tuning import space

torch = sys.modules.get("torch")  # which must not be loaded after TensorFlow: see conftest.py
STEPS = 50
ROUNDING = 1e-11  # of float64 sums in another order, grown in 50 steps


def library(name):
    import pytorch_optimizer

    return getattr(pytorch_optimizer, name)


def muon(parameters):
    kernels = [one for one in parameters if one.ndim > 1]
    others = [one for one in parameters if one.ndim == 1]
    return [
        torch.optim.Muon(kernels, lr=0.016, momentum=0.95, weight_decay=0),
        torch.optim.AdamW(others, lr=0.001, weight_decay=0),
    ]


PLAIN = {
    "torch_adamw": lambda p: [torch.optim.AdamW(p, lr=0.001, betas=(0.9, 0.999), weight_decay=0)],
    "torch_nadam": lambda p: [torch.optim.NAdam(p, lr=0.001, betas=(0.9, 0.999))],
    "torch_sgd": lambda p: [torch.optim.SGD(p, lr=0.1, momentum=0.9)],
    "torch_adagrad": lambda p: [torch.optim.Adagrad(p, lr=0.01)],
    "torch_lbfgs": lambda p: [torch.optim.LBFGS(p, lr=0.1, max_iter=4, history_size=10)],
    "torch_muon": muon,
    "pytorch_optimizer_soap": lambda p: [library("SOAP")(p, lr=0.003, betas=(0.95, 0.95), weight_decay=0)],
    "pytorch_optimizer_shampoo": lambda p: [library("Shampoo")(p, lr=0.1, momentum=0.9)],
    "pytorch_optimizer_adopt": lambda p: [library("ADOPT")(p, lr=0.001)],
    "pytorch_optimizer_prodigy": lambda p: [library("Prodigy")(p, lr=1.0, bias_correction=True)],
    "pytorch_optimizer_mars": lambda p: [library("MARS")(p, lr=0.003, gamma=0.025, weight_decay_1d=0)],
    "pytorch_optimizer_schedule_free": lambda p: [library("ScheduleFreeAdamW")(p, lr=0.0025)],
    "pytorch_optimizer_adan": lambda p: [library("Adan")(p, lr=0.001, betas=(0.98, 0.92, 0.99))],
    "pytorch_optimizer_lion": lambda p: [library("Lion")(p, lr=0.0005, betas=(0.9, 0.99))],
    "pytorch_optimizer_sam": lambda p: [library("SAM")(p, torch.optim.SGD, rho=0.05, lr=0.05, momentum=0.9)],
}
FLATTENED = {"torch_muon"}


def to_torch(array, is_flat):
    if array.ndim < 2:
        return torch.from_numpy(array.copy())
    turned = np.ascontiguousarray(np.moveaxis(array, (-1, -2), (0, 1)))
    return torch.from_numpy(turned.reshape(len(turned), -1) if is_flat else turned)


def to_numpy(parameter, shape):
    array = parameter.detach().numpy()
    if len(shape) < 2:
        return array.copy()
    return np.moveaxis(array.reshape(shape[-1], shape[-2], *shape[:-2]), (0, 1), (-1, -2)).copy()


def plain_path(name, bowl):
    is_flat = name in FLATTENED
    parameters = [torch.nn.Parameter(to_torch(weight, is_flat)) for weight in bowl.start]
    optimizers = PLAIN[name](parameters)
    path = []
    for step in range(STEPS):

        def closure(step=step):
            weights = [to_numpy(one, shape) for one, shape in zip(parameters, bowl.shapes, strict=True)]
            for one, gradient in zip(parameters, bowl.gradients(weights, step), strict=True):
                one.grad = to_torch(gradient, is_flat)
            return torch.tensor(bowl.loss(weights, step))

        closure()
        for optimizer in optimizers:
            optimizer.step(*([closure] if name.endswith(("lbfgs", "sam")) else []))
        path.append([to_numpy(one, shape) for one, shape in zip(parameters, bowl.shapes, strict=True)])
    return path


def guest_of(name):
    candidate = catalog.candidate(name)
    return guests.guest_of(Task.of("digits_mlp", name).spec(space.defaults(candidate), 42).optimizer)


@pytest.mark.parametrize("name", PLAIN)
def test_guest_takes_the_steps_of_its_library(name, bowl, walk_of, check_equal):
    check_equal(walk_of(guest_of(name), bowl, STEPS), plain_path(name, bowl), bowl.start, ROUNDING)


def test_every_bundled_guest_of_torch_is_compared():
    named = {name for name in catalog.candidate_names() if name.startswith(("torch_", "pytorch_optimizer_"))}
    assert named == set(PLAIN)
