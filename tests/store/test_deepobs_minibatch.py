"""Reading a result file without its minibatch losses."""

import json
from collections.abc import Callable

import pytest

from regbench.records import RunResult
from regbench.store import deepobs

MakeResult = Callable[..., RunResult]


def _minibatch_free(result: RunResult) -> RunResult:
    curves = {name: curve for name, curve in result.curves.items() if name != "minibatch_train_losses"}
    return result.model_copy(update={"curves": curves})


def test_reading_without_minibatch_losses_leaves_out_nothing_else(make_stored_result: MakeResult) -> None:
    result = make_stored_result(reason='it said "minibatch_train_losses": [1, 2] and stopped')
    assert deepobs.read(deepobs.write_json(result), minibatch=False) == _minibatch_free(result)


def test_minibatch_losses_are_not_even_parsed(make_stored_result: MakeResult) -> None:
    others = {"valid_accuracies": [0.1], "test_accuracies": [0.1]}
    data = deepobs.write_json(make_stored_result(curves=others | {"minibatch_train_losses": [0.5, 0.25]}))
    assert deepobs.read(data.replace(b"[0.5, 0.25]", b"[0.5, no number]"), minibatch=False).curves == others


@pytest.mark.parametrize(
    "text",
    [
        '{"minibatch_train_losses":[1.0,NaN,-Infinity],"a":1}',
        '{"a": 1, "minibatch_train_losses" \n\t:\r\n [ 1.0 ,\n 2.0 ] }',
        '{"minibatch_train_losses": [], "a": [1]}',
        '{"minibatch_train_losses": [[1.0], [2.0]], "a": 1}',
        '{"minibatch_train_losses": ["]", 1.0], "a": 1}',
        '{"minibatch_train_losses": null, "a": 1}',
        '{"nested": {"minibatch_train_losses": [1.0]}, "a": 1}',
        '{"nested": [{"minibatch_train_losses": [1.0]}], "minibatch_train_losses": [2.0], "a": [1]}',
        '{"minibatch_train_losses": [2.0], "nested": {"minibatch_train_losses": [1.0]}}',
        '{"minibatch_train_losses": [1.0], "a": [1], "minibatch_train_losses": [2.0]}',
        '{"minibatch\\u005ftrain_losses": [1.0], "a": 1}',
        '{"x\\"minibatch_train_losses": [1.0], "a": 1}',
        '{"a": "minibatch_train_losses", "b": [1.0]}',
        '{"a": "\\"minibatch_train_losses\\": [1.0]", "minibatch_train_losses": [2.0], "b": [1]}',
        '{"a": 1}',
        '\ufeff{"minibatch_train_losses": [1.0], "ä": 1}',
    ],
)
def test_cutting_minibatch_losses_equals_parsing_all_and_dropping_them(text: str) -> None:
    expected = json.loads(text.encode())
    expected.pop("minibatch_train_losses", None)
    assert deepobs.load(text.encode(), minibatch=False) == expected
