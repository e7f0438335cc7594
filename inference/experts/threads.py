"""How many threads the libraries under the experts may use."""

import cv2
import torch


def limit_threads(threads: int) -> None:
    """Let torch and OpenCV use `threads`, for the whole process.

    Left alone they take every core of the machine, whatever the graphs were told: workers
    beside each other would fight for them, and sums would depend on the machine's size.
    """
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
