"""Opens ONNX graphs, and sees to it that nothing about their use leaves the machine."""

import os
from typing import Any, Final

SWITCH: Final = "ORT_DISABLE_TELEMETRY"
ERRORS_ONLY: Final = 3


def open_graph(graph: bytes, *, threads: int) -> Any:
    """An `onnxruntime.InferenceSession` on the CPU.

    onnxruntime reports its use to its vendor and keeps a device id in the home folder
    (seen with 1.32). It reads the switch when it is imported, so it is imported here,
    nowhere else, and after the switch was set.

    Args:
        graph: bytes of the model file.
        threads: of one call.
    """
    os.environ[SWITCH] = "1"
    import onnxruntime  # noqa: PLC0415 - see above

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = ERRORS_ONLY  # published graphs have unused initialisers
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
