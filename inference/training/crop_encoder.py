"""Builds the shipped encoder graph: `python -m inference.training.crop_encoder SOURCE OUT`.

Three of eight seconds are speech, the rest is the silence in front of it. What the first block
makes of the silence is heard by the speech, through keys and values of the second; what the second
makes of it is heard by nobody. So the second block asks, and answers, only from `first_frame` on:
a quarter less work, and the same bits.
"""

import sys
from pathlib import Path
from typing import Any, Final

import numpy as np

from inference.experts.voice_encoder import FIRST_FRAME, FRAME_SIZE

NORMED: Final = "layer_norm_2_DequantizeLinear_Output"
"""What queries, keys and values of the second block read."""
RESIDUAL: Final = "add_146"
"""What the second block adds to."""
ALL_HEADS: Final = "val_31"
"""Shape (clips, any, heads, size), which the keys are brought to."""
CROPPED: Final = ("add_239", "linear_11", "val_162_DequantizeLinear_Output")
"""Sums whose fusion needs to know that their parts are of one length."""


def crop(source: bytes) -> bytes:
    """The graph of `source` with a second input, `first_frame`, (1,) int64.

    Raises KeyError if it is not built as the published one.
    """
    import onnx  # noqa: PLC0415 - an extra, as for the weights
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415

    model = onnx.load_from_string(source)
    graph = model.graph
    _cut(graph, helper)
    constants = {"frames_end": [1 << 31], "frames_axis": [1], "rows": [0, -1, FRAME_SIZE]}
    for name, values in constants.items():
        graph.initializer.append(numpy_helper.from_array(np.array(values, np.int64), name))
    graph.input.append(helper.make_tensor_value_info(FIRST_FRAME, TensorProto.INT64, [1]))
    clips = graph.input[0].type.tensor_type.shape.dim[0].dim_param
    for name in CROPPED:
        shape = [clips, "frames", FRAME_SIZE]
        graph.value_info.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    frames = graph.output[0].type.tensor_type.shape.dim[1]
    frames.ClearField("dim_value")
    frames.dim_param = "frames"
    onnx.checker.check_model(model)
    made: bytes = model.SerializeToString(deterministic=True)
    return made


def _cut(graph: Any, helper: Any) -> None:
    """Let queries, and what is added to, begin at the first frame."""
    nodes = {node.name: node for node in graph.node}
    queries = nodes["node_MatMul_87"]
    queries.input[0] = "asking"
    nodes["node_view_3"].input[1] = ALL_HEADS  # its own shape says 400
    answers = nodes["node__unsafe_view_1"]
    answers.input[1] = "rows"
    for attribute in answers.attribute:
        if attribute.name == "allowzero":
            attribute.i = 0  # "as in the input", not "none"
    sums = nodes["node_add_239"]
    sums.input[0] = "added_to"
    span = [FIRST_FRAME, "frames_end", "frames_axis"]
    ordered = list(graph.node)
    place = ordered.index(queries)
    ordered[place:place] = [
        helper.make_node("Slice", [whole, *span], [part], name=f"slice_{part}")
        for whole, part in ((NORMED, "asking"), (RESIDUAL, "added_to"))
    ]
    del graph.node[:]
    graph.node.extend(ordered)


if __name__ == "__main__":
    given, out = (Path(argument) for argument in sys.argv[1:3])
    out.write_bytes(crop(given.read_bytes()))
