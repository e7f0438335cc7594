"""Nothing about the use of a model leaves the machine, or is kept on it."""

import subprocess
import sys
from pathlib import Path

import inference.experts.voice_encoder as encoder

TREE = Path(__file__).parents[2]
PROGRAM = """
from inference.experts.voice_activity import VoiceActivity
from inference.experts.voice_encoder import VoiceEncoder
import numpy as np
VoiceActivity.load().detect(np.zeros(16_000, np.float32))
VoiceEncoder.load().embed(np.zeros(16_000, np.float32))
"""


def test_opening_and_running_the_models_leaves_no_file_of_a_reporter(tmp_path: Path) -> None:
    assert encoder.WEIGHTS.is_dir()
    subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=TREE,
        env={"HOME": str(tmp_path), "TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"},
        check=True,
        timeout=120,
    )
    assert sorted(path.name for path in tmp_path.rglob("*")) == []
