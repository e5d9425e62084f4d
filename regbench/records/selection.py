"""Which samples of a data set a problem uses."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from regbench.records.record import Record


class Selection(Record):
    """The samples of a data set that a problem uses; in file order.

    Args:
        classes: only these classes of the data set, which become the classes 0, 1, ... in the order given here.
        train_per_class: at most so many training samples of each class.
        test_per_class: at most so many validation samples and so many test samples of each class.
        valid_per_class: at most so many validation samples of each class, instead of `test_per_class`.
        draw: which of them, where there are more: the "first" ones of the files, the same in every run; or those that
            the "seed" of the run draws.
        passes: how often an epoch passes over the training samples, so that it is not over after a few steps.
        in_turn: each pass is over before the next one begins, so that a batch of all samples is just that; else the
            samples of all passes are shuffled together.
    """

    # Not strict: what was read from a file comes here as a list.
    classes: tuple[Annotated[int, Field(ge=0)], ...] | None = Field(default=None, min_length=2, strict=False)
    train_per_class: int | None = Field(default=None, gt=0)
    test_per_class: int | None = Field(default=None, gt=0)
    valid_per_class: int | None = Field(default=None, gt=0)
    draw: Literal["first", "seed"] = "first"
    passes: int = Field(default=1, gt=0)
    in_turn: bool = False

    @property
    def most_valid(self) -> int | None:
        """At most so many validation samples of each class; None for all."""
        return self.test_per_class if self.valid_per_class is None else self.valid_per_class

    @model_serializer(mode="wrap")
    def _without_later_keys(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Keys that came later are told where they are not at their default: they change no digest of older results."""
        table: dict[str, Any] = plain(self)
        fields = type(self).model_fields
        later = ("valid_per_class", "draw", "passes", "in_turn")
        return {key: value for key, value in table.items() if key not in later or value != fields[key].default}

    @model_validator(mode="after")
    def _classes_are_different(self) -> Self:
        if self.classes is not None and len(set(self.classes)) < len(self.classes):
            raise ValueError(f"`classes` must be different ones. Received: classes={list(self.classes)!r}")
        return self
