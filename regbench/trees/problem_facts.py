"""Facts of test problems that result files do not hold."""

from typing import NamedTuple

from regbench import catalog


class ProblemFacts(NamedTuple):
    """The metric and goal of a problem, its own L2 factor, and the test metric that counts as converged."""

    metric: str
    goal: str
    l2: float
    convergence: float | None


DEEPOBS = {
    "quadratic_deep": ProblemFacts("loss", "minimize", 0.0, 87.7032),
    "mnist_vae": ProblemFacts("loss", "minimize", 0.0, 73.4982),
    "fmnist_2c2d": ProblemFacts("accuracy", "maximize", 0.0, 0.919809),
    "cifar10_3c3d": ProblemFacts("accuracy", "maximize", 0.002, 0.828331),
    "fmnist_vae": ProblemFacts("loss", "minimize", 0.0, 92.9776),
    "cifar100_allcnnc": ProblemFacts("accuracy", "maximize", 0.0005, 0.525604),
    "svhn_wrn164": ProblemFacts("accuracy", "maximize", 0.0005, 0.950199),
    "tolstoi_char_rnn": ProblemFacts("accuracy", "maximize", 0.0, 0.604586),
}
"""The problems of the published baselines (Schneider et al. 2019); the catalogue goes before it."""


class KnownProblems:
    """Looks problems up in the catalogue, then among DeepOBS's; each only once."""

    def __init__(self) -> None:
        """Look which problems the catalogue has."""
        self._in_catalog = set(catalog.problem_names())
        self._found: dict[str, ProblemFacts | None] = {}

    def find(self, name: str) -> ProblemFacts | None:
        """The facts of a problem; None where it is not known.

        Raises:
            DefinitionError: the problem's file does not hold together.
        """
        if name not in self._found:
            self._found[name] = self._look_up(name)
        return self._found[name]

    def _look_up(self, name: str) -> ProblemFacts | None:
        if name not in self._in_catalog:
            return DEEPOBS.get(name)
        problem = catalog.problem(name)
        return ProblemFacts(problem.metric, problem.goal, problem.l2, problem.convergence)
