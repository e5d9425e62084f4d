"""The step on the last, incomplete batch of an epoch."""

from regbench import catalog, guests
from regbench.engine.run import run

from .runs import LOSS_ROUNDING, furthest, part


def test_incomplete_batch_is_a_step_as_with_keras(make_task, make_candidate):
    whole = catalog.protocol("strict")
    results = []
    for name in ("sgd", "optax:sgd"):
        optimizer = part(name, learning_rate=0.01)
        task = make_task("digits_mlp", make_candidate(optimizer.name, **optimizer.arguments), epochs=1, batch_size=300)
        for protocol in (whole, whole.model_copy(update={"whole_batches": False})):
            spec = task.spec({}, 42).model_copy(update={"protocol": protocol})
            results.append(run(spec, guest=guests.guest_of(spec.optimizer)))
    steps = [len(result.curves["minibatch_train_losses"]) for result in results]
    assert steps[1] == steps[0] + 1
    assert furthest(results[1], results[3]) < LOSS_ROUNDING
