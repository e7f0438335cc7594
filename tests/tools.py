"""Programs that are not Python's: tests skip without them, but never in CI."""

import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parents[1]
UNPACKED = Path(sys.prefix) / "tools" / "usr" / "bin"
"""Where `make test` unpacks Debian's packages."""
MODULES = ROOT / "tests" / "node" / "node_modules"


def program(name: str) -> str:
    """Path of `promtool`, `prometheus-alertmanager`, `amtool`, `node` …; skips the test without."""
    unpacked = UNPACKED / name
    found = str(unpacked) if unpacked.exists() else shutil.which(name)
    return found or missing(f"no {name}: run `make test` on Debian, or put one on the path")


def node_module(name: str) -> Path:
    """Folder of an npm package of tests/node; skips the test without."""
    folder = MODULES / name
    return folder if folder.is_dir() else missing(f"no {name}: run `npm ci` in tests/node")


def missing(reason: str) -> NoReturn:
    """What is optional on a desk must be there in CI, or the suite would be green for nothing."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
