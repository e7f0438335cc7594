"""Fails where too few branches of a part were taken: `branch_floor.py PERCENT FOLDER...`.

coverage's own `--fail-under` is about lines and branches together, and lines flatter.
"""

import json
import subprocess
import sys


def say(text: str) -> None:
    """One line for a person."""
    print(text, flush=True)  # noqa: T201 - a script that talks to a person


def coverage(*arguments: str) -> str:
    """What coverage prints about the last run."""
    command = [sys.executable, "-m", "coverage", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def main(floor: float, parts: list[str]) -> int:
    """Say how many branches of each part were taken; 1 if one is below the floor."""
    below = False
    for part in parts:
        files = f"{part}/*"
        totals = json.loads(coverage("json", "-q", "--include", files, "-o", "-"))["totals"]
        percent = totals["percent_branches_covered"]
        say(f"{part}: {percent:.1f} % of the branches were taken")
        if percent < floor:
            below = True
            say(f"That is below {floor:g} %. What is missing:")
            say(coverage("report", "-m", "--skip-covered", "--include", files))
    return int(below)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2:]))
