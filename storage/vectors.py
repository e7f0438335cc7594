"""A column of vectors: `real[]` on PostgreSQL, little-endian float32 elsewhere."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import LargeBinary
from sqlalchemy.dialects.postgresql import ARRAY, REAL
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine


class Vector(TypeDecorator[NDArray[np.float32]]):
    """(size,) float32, exact in both directions.

    pgvector casts `real[]` to its own type, so an index of it needs no other column.
    """

    impl = LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The column of that database."""
        postgres = dialect.name == "postgresql"
        return dialect.type_descriptor(ARRAY(REAL) if postgres else LargeBinary())

    def process_bind_param(self, value: NDArray[np.float32] | None, dialect: Dialect) -> Any:
        """As the driver takes it."""
        if value is None:
            return None
        if dialect.name == "postgresql":
            return value.astype(np.float32).tolist()
        return value.astype("<f4").tobytes()

    def process_result_value(self, value: Any, dialect: Dialect) -> NDArray[np.float32] | None:
        """As it was stored."""
        if value is None:
            return None
        if dialect.name == "postgresql":
            return np.array(value, dtype=np.float32)
        return np.frombuffer(value, dtype="<f4").astype(np.float32)
