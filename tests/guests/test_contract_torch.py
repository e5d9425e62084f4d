"""The contract of guests holds for what is bundled of PyTorch's."""

import pytest

from regbench import catalog, contracts
from regbench.benchmark.tasks import Task
from regbench.contracts import Ruling
from regbench.tuning import space

NAMES = [name for name in catalog.candidate_names() if name.startswith(("torch_", "pytorch_optimizer_"))]


@pytest.mark.parametrize("name", NAMES)
def test_every_clause_holds(name):
    candidate = catalog.candidate(name)
    part = Task.of("digits_mlp", name).spec(space.defaults(candidate), 42).optimizer
    verdicts = contracts.check_guest(part.name, part.arguments)
    assert {verdict.ruling for verdict in verdicts} == {Ruling.HOLDS}, verdicts


def test_shampoo_with_stale_roots_is_an_exception_with_its_reason():
    clauses = ["lowers_a_convex_loss"]
    (verdict,) = contracts.check_guest("pytorch_optimizer:Shampoo", {"preconditioning_compute_steps": 10}, clauses)
    assert verdict.ruling == Ruling.EXCEPTED
    assert "nearly singular" in verdict.message
