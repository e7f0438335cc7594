"""`affectstream documents`: what other programs may rely on, as files."""

from pathlib import Path


def documents(folder: Path = Path("docs")) -> None:
    """Write the OpenAPI and AsyncAPI documents of this version into a folder.

    Example: `affectstream documents docs`

    Args:
        folder: made where it is missing.
    """
    from rich.console import Console

    from streams.documents.written import write

    console = Console(soft_wrap=True, highlight=False)
    for path in write(folder):
        console.print(str(path), markup=False)
