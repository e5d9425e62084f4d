"""The decays of optax's functions are what the table of conventions calls them."""

import pytest

from regbench.conventions import DECAYS

from .decaying import RATE, coupling_of

WITHOUT_RATE = {"optax.contrib:cocob"}
ESTIMATED = {"optax.contrib:prodigy", "optax.contrib:schedule_free_adamw"}
"""The rate of one is not ours, so that a decay that is times it is nearly nothing; that of the other acts elsewhere."""
NAMED = [one for one in DECAYS if one.name.startswith("optax") and one.coupling != "none" and one.name not in ESTIMATED]


@pytest.mark.parametrize("meaning", NAMED, ids=lambda one: one.name)
def test_decay_is_what_the_table_says(meaning):
    arguments = {} if meaning.name in WITHOUT_RATE else {"learning_rate": RATE}
    said = "none of these" if meaning.coupling == "inside the trust ratio" else meaning.coupling
    assert coupling_of(meaning.name, meaning.argument, arguments) == said


@pytest.mark.parametrize("meaning", [one for one in DECAYS if one.name.startswith("optax")], ids=lambda one: one.name)
def test_default_is_what_the_table_says(meaning):
    import inspect

    import optax
    import optax.contrib

    name = meaning.name.partition(":")[2]
    parameters = inspect.signature(getattr(optax, name, None) or getattr(optax.contrib, name)).parameters
    if meaning.coupling == "none":
        assert meaning.argument not in parameters
    else:
        assert (parameters[meaning.argument].default or None) == (meaning.default or None)
