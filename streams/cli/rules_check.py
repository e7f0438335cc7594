"""`affectstream rules check`."""

from pathlib import Path

import msgspec
from rich.console import Console


def check(file: Path, *more: Path, json: bool = False) -> None:
    """Read rules from TOML files and say how they read; exit code 1 where one does not.

    Example: `affectstream rules check rules.toml`

    Args:
        file: TOML file with a table [[rules]] for each rule.
        more: files whose rules belong to the same set.
        json: print one JSON object a rule, every field spelled out.
    """
    from streams.alerts.rule import RuleError, plain, read_rules
    from streams.cli._rules import rules_table

    found = {}
    for path in (file, *more):
        for name, spec in read_rules(path).items():
            if name in found:
                raise RuleError(f"{path}: rule {name}: name: stands in an earlier file; rename one")
            found[name] = spec
    if json:
        for name, spec in found.items():
            line = msgspec.json.encode({"name": name, **plain(spec)}).decode()
            print(line)  # noqa: T201 - the command's result
        return
    console = Console(highlight=False, emoji=False)
    console.print(rules_table((name, "", spec) for name, spec in found.items()))
    console.print(f"{len(found)} rule{'s' * (len(found) != 1)}: all well")
