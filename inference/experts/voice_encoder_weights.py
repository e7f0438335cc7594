"""The float weights inside the shipped int8 graph, under the names of a Whisper encoder."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inference.errors import AffectstreamError

Floats = NDArray[np.float32]

_PREFIX: Final = "inner.encoder."
_VALUES: Final = "self_attn.v_proj"
_KEYS: Final = "self_attn.k_proj"
_LAST_NORM: Final = ("layers.2.self_attn_layer_norm.", "layer_norm.")
"""The graph was cut after the norm with which its third block began: now the last one."""


class OnnxUnavailableError(AffectstreamError):
    """The package that reads ONNX files is not installed."""


class UnknownGraphError(AffectstreamError):
    """A graph that is not built as the shipped voice encoder."""


def read_float_weights(model: Path) -> dict[str, Floats]:
    """Undo the quantisation of the weights of `model`; that of the activations has no weights.

    Source: ONNX, operator DequantizeLinear: `(q - zero point) * scale`, along one axis.

    Returns:
        Name as in `transformers.WhisperModel.encoder` to float32 array, in torch's layout:
        matrices are (out, in).

    Raises:
        OnnxUnavailableError: `onnx` is not installed.
        UnknownGraphError: the graph has other parts.
    """
    try:
        import onnx  # noqa: PLC0415 - an extra that int8 on the CPU can do without
    except ImportError as exc:
        raise OnnxUnavailableError(
            "the torch form of the voice encoder reads its weights with the package onnx: "
            "pip install 'affectstream[cuda]'"
        ) from exc
    graph = _Graph.of(onnx.load(str(model)).graph, onnx.numpy_helper.to_array)
    try:
        return {_renamed(name): value for name, value in graph.weights()}
    except LookupError as exc:
        raise UnknownGraphError(
            f"{model} is not built as the shipped voice encoder: {exc} was not found in it"
        ) from exc


def _renamed(name: str) -> str:
    return name.removeprefix(_PREFIX).replace(*_LAST_NORM)


@dataclass(frozen=True)
class _Graph:
    """Constants of a graph by name, and its nodes in order."""

    constants: Mapping[str, NDArray[Any]]
    nodes: tuple[Any, ...]

    @classmethod
    def of(cls, graph: Any, to_array: Any) -> "_Graph":
        constants = {one.name: to_array(one) for one in graph.initializer}
        return cls(constants, tuple(graph.node))

    def weights(self) -> Iterator[tuple[str, Floats]]:
        """Everything that was learned."""
        for name, value in self.constants.items():
            if name.startswith(_PREFIX) and value.dtype == np.float32 and "_scale" not in name:
                yield name, value.copy()  # onnx gives views of the file
        for name, value in self._dequantised.items():
            if name.startswith(_PREFIX):  # convolutions and their biases
                yield name.removesuffix("_DequantizeLinear_Output"), value
        for product in self.nodes:
            if product.op_type == "MatMul" and product.input[1] in self._dequantised:
                matrix = self._dequantised[product.input[1]]  # (in, out)
                yield f"{self._layer_of(product)}.weight", np.ascontiguousarray(matrix.T)

    @cached_property
    def _dequantised(self) -> dict[str, Floats]:
        """Output of each node that does nothing but dequantise constants."""
        return {
            node.output[0]: _dequantise(node, self.constants)
            for node in self.nodes
            if node.op_type == "DequantizeLinear" and node.input[0] in self.constants
        }

    def _layer_of(self, product: Any) -> str:
        """Name of the layer that a product belongs to: its bias has kept it.

        Whisper's keys have none; they read what the values read.
        """
        bias = self._bias_of(product)
        if bias is not None:
            return bias.removesuffix(".bias")
        siblings = (node for node in self.nodes if node.input[:1] == product.input[:1])
        names = (self._bias_of(node) for node in siblings if node.op_type == "MatMul")
        values = next((name for name in names if name is not None and _VALUES in name), None)
        if values is None:
            raise LookupError(f"the values beside {product.name}")
        return values.removesuffix(".bias").replace(_VALUES, _KEYS)

    def _bias_of(self, product: Any) -> str | None:
        """Name of the constant that is added to a product, behind its quantisation."""
        after = self._reader_of(self._reader_of(self._reader_of(product)))
        if after.op_type != "Add":
            return None
        return next((name for name in after.input if name.endswith(".bias")), None)

    def _reader_of(self, node: Any) -> Any:
        """The first node that reads the output of `node`."""
        reader = next((one for one in self.nodes if node.output[0] in one.input), None)
        if reader is None:
            raise LookupError(f"a reader of {node.name}")
        return reader


def _dequantise(node: Any, constants: Mapping[str, NDArray[Any]]) -> Floats:
    stored, scale, zero = (constants[name] for name in node.input)
    axis = next((one.i for one in node.attribute if one.name == "axis"), 1)
    shape = [-1 if place == axis else 1 for place in range(stored.ndim)] if scale.ndim else []
    steps = stored.astype(np.int64) - zero.astype(np.int64).reshape(shape)
    return (steps * scale.reshape(shape).astype(np.float64)).astype(np.float32)
