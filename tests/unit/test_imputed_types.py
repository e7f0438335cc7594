"""A type checker refuses what is imputed where evidence is asked for."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = """
from collections.abc import Sequence
from inference.evidence import Evidence
from inference.fusion.contract import Fuser
from inference.imputation.foresight import ImputedForesight
from inference.projection import Projection


def fuse(fuser: Fuser, foresight: ImputedForesight, seen: Projection) -> None:
    fuser.fuse([foresight.complete(seen)])
    fuser.fuse(foresight.complete(seen).parts)
    fuser.fuse_many([[foresight.complete(seen)]])


def fuse_evidence(fuser: Fuser, evidence: Sequence[Evidence]) -> None:
    fuser.fuse(evidence)
"""


def test_no_fuser_takes_a_completed_window(tmp_path: Path) -> None:
    path = tmp_path / "fuses.py"
    path.write_text(CODE)
    options = ["--config-file", "pyproject.toml", "--cache-dir", os.devnull]
    found = subprocess.run(
        [sys.executable, "-m", "mypy", *options, str(path)],
        cwd=ROOT,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    errors = [line for line in found.stdout.splitlines() if " error: " in line]
    refused = [
        CODE.splitlines().index(line) + 1 for line in CODE.splitlines() if "complete" in line
    ]
    assert [int(line.split(":")[1]) for line in errors] == refused, found.stdout + found.stderr
    assert all("[list-item]" in line or "[arg-type]" in line for line in errors)
