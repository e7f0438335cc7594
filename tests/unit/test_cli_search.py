"""`affectstream search`: what people and programs read, and what is said without moments."""

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from storage.audit import list_recorded
from storage.engine import open_engine
from storage.results import ResultStore
from storage.upgrade import upgrade
from streams.cli import main
from tests.moments import FakeSpace, searchable, towards, unit
from tests.scores import distressed

# the words of the command line are in sys.argv, where `main` reads them
pytestmark = pytest.mark.filterwarnings("ignore:Cyclopts application invoked without tokens")


@dataclass
class Done:
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `affectstream search …` in this process, over a database with three moments."""
    asyncio.run(_fill(tmp_path / "a.db"))
    space = FakeSpace(known={"angry": unit([1.0])})
    monkeypatch.setattr("streams.cli._search.open_space", lambda _: space)

    def run(*arguments: str, tenant: str = "acme") -> Done:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["affectstream", "search", *arguments])
        monkeypatch.setenv("COLUMNS", "200")
        monkeypatch.setenv("AFFECTSTREAM_DATABASE_URL", f"sqlite:///{tmp_path}/a.db")
        monkeypatch.setenv("AFFECTSTREAM_TENANT", tenant)
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Done(ended.value.code, out, err)

    return run


async def _fill(path: Path) -> None:
    engine = open_engine(f"sqlite+aiosqlite:///{path}")
    await upgrade(engine)
    cosines = (0.25, 0.75, 0.5)
    scores = [distressed(3 * n, cosine) for n, cosine in enumerate(cosines)]
    stored = searchable(scores, [towards(cosine) for cosine in cosines])
    assert not (await ResultStore(engine).commit([stored])).failed
    await engine.dispose()


def test_a_person_reads_a_table_nearest_first(run: Run) -> None:
    done = run("angry")
    assert done.returncode == 0, done.stderr
    head, *lines = done.stdout.splitlines()
    assert head.split() == ["near", "begins", "conversation", "who", "label", "distress", "heard",
                            "and", "said"]  # fmt: skip
    assert [line.split()[0] for line in lines] == ["0.75", "0.50", "0.25"]
    first = "0.75 2025-11-24 16:00:03 c-1 p-1, customer anger 0.75 loud for this line"
    assert " ".join(lines[0].split()) == first
    assert "3 of 3 moments; times are UTC" in done.stderr


def test_a_program_reads_an_object_a_line(run: Run) -> None:
    done = run("angry", "--json", "--limit", "2", "--from", "2025-11-24", "--role", "customer")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["similarity"] for one in found] == [0.75, 0.5]
    assert found[0]["link"] == "/conversations/c-1?at=2025-11-24T16:00:03Z"


@pytest.mark.parametrize(
    ("options", "near"),
    [
        (("--emotion", "anger"), [0.75]),
        (("--min-distress", "0.5"), [0.75, 0.5]),
        (("--to", "2025-11-24T17:00:02+01:00"), [0.25]),
        (("--participant", "p-2"), []),
        (("--queue", "billing", "--conversation", "c-1"), [0.75, 0.5, 0.25]),
    ],
)
def test_filters_are_options(run: Run, options: tuple[str, ...], near: list[float]) -> None:
    done = run("angry", "--json", *options)
    assert [json.loads(line)["similarity"] for line in done.stdout.splitlines()] == near


def test_without_moments_it_says_how_there_will_be_some(run: Run) -> None:
    done = run("angry", "--tenant", "globex")
    assert (done.returncode, done.stdout) == (1, "")
    assert "tenant globex has no moment that can be found" in done.stderr
    assert "`search = true`" in done.stderr


def test_what_was_shown_is_on_record(run: Run, tmp_path: Path) -> None:
    run("angry about the divorce")

    async def newest() -> tuple[str, str, object]:
        engine = open_engine(f"sqlite+aiosqlite:///{tmp_path}/a.db")
        (one,) = await list_recorded(engine, "acme", limit=9)
        await engine.dispose()
        return one.entry.actor, one.entry.action, one.entry.details

    assert asyncio.run(newest()) == ("command line", "moment.search", {"shown": ["c-1"]})


def test_help_has_an_example(run: Run) -> None:
    said = run("--help").stdout
    assert 'affectstream search "raised voice, asks for refund" --emotion anger' in " ".join(
        said.split()
    )
