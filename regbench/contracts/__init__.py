"""What every optimizer, every regularizer and every network must do, as clauses that run on any of them.

    from regbench import contracts

    for verdict in contracts.check(MyOptimizer, {"beta": 0.8}):
        print(verdict.clause, verdict.ruling, verdict.message)

    for verdict in contracts.check_network(catalog.problem("my_problem")):
        print(verdict.clause, verdict.ruling, verdict.message)

In a test of one's own, with pytest:

    @pytest.mark.parametrize("clause", contracts.clauses_for(MyOptimizer))
    def test_my_optimizer_keeps_the_contract(clause):
        (verdict,) = contracts.check(MyOptimizer, clauses=[clause])
        assert verdict.ruling != "fails", verdict.message

The clauses are about what all have in common. Whether the formula is right is not among it: that needs its own test.
"""

from regbench.contracts.examination import check, check_guest, check_network, clauses_for, is_of_keras
from regbench.contracts.verdicts import Clause, Ruling, Verdict

__all__ = ["Clause", "Ruling", "Verdict", "check", "check_guest", "check_network", "clauses_for", "is_of_keras"]
