"""What all records have in common."""

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """A frozen record: no conversion of types, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
