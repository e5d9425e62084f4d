"""Data of the user's own, as a problem names them: where they lie and how they are read (docs/own-data.md).

The key `dataset` of a problem is the name of a data set, or one of these as a table whose `name` says the form.
"""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, SerializerFunctionWrapHandler, Tag, model_serializer, model_validator

from regbench.records.record import Record

Text = Annotated[str, Field(min_length=1)]
Side = Annotated[int, Field(ge=1, le=4096)]


class OwnData(Record):
    """What all forms have in common.

    Args:
        name: of the form; of a function `module:function`.
        path: of the file or folder, absolute; empty where there is none. No digest depends on it, and no result has it.
        content: digest of the data as they were read (`RawData.digest`); empty in a problem's file, set where a run is
            planned. With it data under the same path that changed are other data, and are refused in a run that began
            with those before.
        targets: what is learnt: "classes", "numbers", or "auto": numbers where targets are fractions, or where they are
            whole numbers of more than 20 kinds. "probabilities" are as "auto", but several of a sample are numbers,
            never tokens. Unless given, the loss of the problem says it.
        valid_fraction: the share of the samples to validate on, where the data do not bring them.
        split_seed: of the draw by which samples are divided.
    """

    name: str
    path: str = ""
    content: str = ""
    targets: Literal["auto", "classes", "numbers", "probabilities"] = "auto"
    valid_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.15
    split_seed: int = Field(default=0, ge=0, lt=2**32)

    @model_serializer(mode="wrap")
    def _what_counts(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """All but the path and keys at their defaults: keys that come later change no digest of older results."""
        fields = type(self).model_fields
        table: dict[str, Any] = plain(self)
        return {
            key: value for key, value in table.items() if key != "path" and getattr(self, key) != fields[key].default
        }

    @model_validator(mode="after")
    def _leaves_something_to_train_on(self) -> "OwnData":
        held_out = self.valid_fraction + getattr(self, "test_fraction", 0.0)
        if held_out >= 1:
            raise ValueError(f"`valid_fraction` and `test_fraction` must be below 1 together. Received: {held_out!r}")
        return self

    def __hash__(self) -> int:
        """Equal ones have equal hashes; arguments may be lists."""
        return hash((self.path, self.model_dump_json()))

    def __str__(self) -> str:
        """What tables and messages call it: the name of the file or of the function."""
        return self.path.replace("\\", "/").rstrip("/").rsplit("/", maxsplit=1)[-1] or self.name


class Arrays(OwnData):
    """NumPy arrays: a file .npz, or a folder of .npy.

    They are `x_train`, `y_train`, `x_test`, `y_test`, and perhaps `x_valid`, `y_valid`.
    """

    name: Literal["arrays"] = Field(default=...)


class Table(OwnData):
    """A CSV or Parquet file, a row a sample.

    Args:
        target: the column that is learnt.
        columns: those that are inputs; all others but the ones with a role unless given.
        drop: columns that are not.
        test_fraction: the share of the samples to test on.
        group: a column: samples of one group are never on two sides of a division.
        time: a column: validation comes after training, and test after both.
        missing: "median" puts the median of the training samples where a number is missing, and a category of its own
            where text is; else a missing value is an error.
        weights: a column: how much the loss of each sample counts in training; evaluation counts all alike.
        separator: of the columns of a CSV file.
        scale_target: numbers that are learnt are standardised as inputs are; losses and metrics are then in standard
            deviations of the target in the training samples.
    """

    name: Literal["table"] = Field(default=...)
    target: Text
    columns: Annotated[tuple[Text, ...], Field(strict=False, min_length=1)] | None = None
    drop: Annotated[tuple[Text, ...], Field(strict=False)] = ()
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.15
    group: Text | None = None
    time: Text | None = None
    missing: Literal["error", "median"] = "error"
    weights: Text | None = None
    separator: Annotated[str, Field(min_length=1, max_length=1)] = ","
    scale_target: bool = False

    @model_validator(mode="after")
    def _has_one_role_a_column(self) -> "Table":
        if self.group is not None and self.time is not None:
            raise ValueError("`group` and `time` must not be given together, since each says how samples are divided")
        named = [name for name in (self.target, self.group, self.time, self.weights) if name is not None]
        twice = {name for name in named if named.count(name) > 1 or name in self.drop or name in (self.columns or ())}
        if twice:
            raise ValueError(f"a column must have one role. Received: {min(twice)!r} with two")
        return self


class Images(OwnData):
    """A folder of images: a folder for each class, perhaps below `train`, `valid` and `test`.

    Args:
        size: height and width to which every image is resized.
        color: red, green and blue; else grey values.
        test_fraction: the share of the samples to test on, where there is no `test`.
    """

    name: Literal["images"] = Field(default=...)
    size: Annotated[tuple[Side, Side], Field(strict=False)] = (64, 64)
    color: bool = True
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.15


class Book(OwnData):
    """A text, of which the next token is learnt at every place.

    Args:
        tokens: what it is divided into.
        length: tokens of a sample.
        test_fraction: the share of the text to test on, at its end; before it comes what validates.
    """

    name: Literal["text"] = Field(default=...)
    tokens: Literal["characters"] = "characters"
    length: int = Field(default=50, gt=0)
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2


class Function(OwnData):
    """A function of one's own that returns the data.

    Args:
        arguments: what it is called with.
    """

    arguments: dict[str, bool | int | float | str | list[bool | int | float | str]] = Field(default={})


FORMS: dict[str, type[OwnData]] = {"arrays": Arrays, "table": Table, "images": Images, "text": Book}
"""By name; a name with a colon is one of a function."""


def _form_of(value: Any) -> str:
    name = value.get("name") if isinstance(value, dict) else getattr(value, "name", None)
    return name if isinstance(name, str) and name in FORMS else "function"


AnyOwnData = Annotated[
    Annotated[Arrays, Tag("arrays")]
    | Annotated[Table, Tag("table")]
    | Annotated[Images, Tag("images")]
    | Annotated[Book, Tag("text")]
    | Annotated[Function, Tag("function")],
    Discriminator(_form_of),
]
