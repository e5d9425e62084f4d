"""The convex function of the source, trained as its figure trains it."""

import numpy as np
import pytest

from regbench.engine.run import run
from regbench.figures import normalized_source
from regbench.figures.normalized_candidates import normalized_adam, nsgd
from regbench.records import MINIBATCH


@pytest.mark.slow
def test_nsgd_gives_what_the_source_prints():
    losses = run(normalized_source._run(nsgd("l2", 0.1), 1500).spec).curves[MINIBATCH]
    ours = [losses[step] for step in normalized_source.PRINTED]
    # Both in float32, with sums in another order; the curve goes down by 280 in the first hundred steps.
    assert ours == pytest.approx(list(normalized_source.PRINTED.values()), abs=0.05)


@pytest.mark.slow
def test_normalized_adam_ends_where_its_learning_rate_takes_it():
    rates = (0.001, 0.005, 0.01, 0.03, 0.05, 0.1)
    ends = [
        normalized_source._end(run(normalized_source._run(normalized_adam("std", rate), 1000).spec)) for rate in rates
    ]
    assert ends == pytest.approx([-39, -166, -238, -383, -429, -448], abs=1)
    assert np.all(np.diff(ends) < 0)
