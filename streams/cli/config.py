"""`affectstream config`: print the settings that are in force, secrets hidden."""

import msgspec
from rich.console import Console
from rich.table import Table

from streams.settings import PREFIX, load


def config(*, json: bool = False) -> None:
    """Print every setting that is in force, secrets hidden.

    Example: `AFFECTSTREAM_KAFKA=broker:9092 affectstream config`

    Args:
        json: print one JSON object instead of a table.
    """
    values = load().model_dump(mode="json")
    console = Console(soft_wrap=True)
    if json:
        console.print_json(msgspec.json.encode(values).decode())
        return
    table = Table(box=None, pad_edge=False)  # narrow enough for a terminal of 80 columns
    table.add_column("setting", no_wrap=True)
    table.add_column("value", overflow="fold")
    table.add_column("variable", no_wrap=True)
    for name, value in values.items():
        table.add_row(name, str(value), f"{PREFIX}{name.upper()}")
    console.print(table)
