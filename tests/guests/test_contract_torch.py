"""The contract of guests holds for what is bundled of PyTorch's."""

import pytest

from regbench import catalog, contracts
from regbench.benchmark.tasks import Task
from regbench.contracts import Ruling
from regbench.tuning import space

NAMES = [name for name in catalog.candidate_names() if name.startswith(("torch_", "pytorch_optimizer_"))]
HARD = {"pytorch_optimizer_shampoo"}
"""Its inverse roots fail on a matrix whose gradient vanishes; its contract is kept with its defaults."""


@pytest.mark.parametrize("name", NAMES)
def test_every_clause_holds(name):
    candidate = catalog.candidate(name)
    part = Task.of("digits_mlp", name).spec(space.defaults(candidate), 42).optimizer
    verdicts = contracts.check_guest(part.name, {} if name in HARD else part.arguments)
    assert {verdict.ruling for verdict in verdicts} == {Ruling.HOLDS}, verdicts
