"""`affectstream rules …`: what a person reads, what a program reads, and exit codes."""

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from storage.engine import open_engine
from storage.results import ResultStore
from storage.rules import put_rule
from storage.upgrade import upgrade
from streams.alerts.rule import shipped_rules
from streams.cli import main
from tests.scores import START_NS, batch, distressed

# the words of the command line are in sys.argv, where `main` reads them
pytestmark = pytest.mark.filterwarnings("ignore:Cyclopts application invoked without tokens")
RULES = """
[[rules]]
name = "calm"
metric = "distress"
enter = 0.6
exit = 0.4
for_s = 3
match = { roles = ["customer"] }

[[rules]]
name = "never"
metric = "joy"
enter = 0.9
exit = 0.8
match = { roles = ["bot"] }
"""
DAY = ("--from", "2025-11-24", "--to", "2025-11-25")


@dataclass
class Done:
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `affectstream rules …` in this process, in `tmp_path`."""

    def run(*arguments: str, tenant: str = "acme") -> Done:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["affectstream", "rules", *arguments])
        monkeypatch.setenv("COLUMNS", "300")
        monkeypatch.setenv("AFFECTSTREAM_DATABASE_URL", f"sqlite:///{tmp_path}/a.db")
        monkeypatch.setenv("AFFECTSTREAM_TENANT", tenant)
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Done(ended.value.code, out, err)

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A file of rules, and a database with one call in which a customer is distressed."""
    (tmp_path / "rules.toml").write_text(RULES)
    asyncio.run(_fill(tmp_path / "a.db"))
    return tmp_path


async def _fill(path: Path) -> None:
    engine = open_engine(f"sqlite+aiosqlite:///{path}")
    await upgrade(engine)
    signal = [0.1] * 5 + [0.9] * 20 + [0.1] * 20
    scores = [distressed(n, value) for n, value in enumerate(signal)]
    await ResultStore(engine).commit([batch(scores, None)])
    body = {"metric": "anger", "enter": 0.5, "exit": 0.4}
    await put_rule(engine, "acme", "own", body, author="ann", now_ns=START_NS)
    await put_rule(engine, "acme", "sharp-rise", None, author="ann", now_ns=START_NS)
    await engine.dispose()


def test_check_says_how_rules_read(run: Run, tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text(RULES)
    done = run("check", "rules.toml")
    assert done.returncode == 0, done.stderr
    assert "fires at distress ≥ 0.6 for 3 s" in done.stdout
    assert "2 rules: all well" in done.stdout
    lines = run("check", "rules.toml", "--json").stdout.splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["calm", "never"]
    assert json.loads(lines[0])["keep_firing_for_s"] == 10.0


def test_check_names_what_is_wrong(run: Run, tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text(RULES.replace("exit = 0.4", "exit = 0.7"))
    done = run("check", "rules.toml")
    assert (done.returncode, done.stdout) == (1, "")
    assert "affectstream: rules.toml: rule calm: exit: 0.7 is above enter, 0.6" in done.stderr
    assert run("check").returncode == 2
    (tmp_path / "more.toml").write_text(RULES)
    (tmp_path / "rules.toml").write_text(RULES)
    twice = run("check", "rules.toml", "more.toml")
    assert twice.returncode == 1
    assert "more.toml: rule calm: name: stands in an earlier file" in twice.stderr


def test_list_shows_the_rules_of_the_tenant(run: Run, folder: Path) -> None:
    shown = run("list")
    assert shown.returncode == 0, shown.stderr
    rows = {line.split()[0]: line for line in shown.stdout.splitlines()[1:] if line.strip()}
    assert sorted(rows) == sorted([*shipped_rules(), "own"])
    assert "1, from 2025-11-24T16:00:15Z" in rows["own"]
    assert "switched off" in rows["sharp-rise"]
    assert "shipped" in rows["sustained-distress"]
    lines = run("list", "--json", tenant="umbrella").stdout.splitlines()
    assert [json.loads(line)["name"] for line in lines] == sorted(shipped_rules())


def test_shipped_rules_are_listed_without_a_database(run: Run, tmp_path: Path) -> None:
    done = run("list", "--shipped", "--json")
    assert [json.loads(line)["version"] for line in done.stdout.splitlines()] == [0, 0, 0, 0]
    assert not (tmp_path / "a.db").exists()


def test_backtest_tells_a_person_and_a_program_the_same(run: Run, folder: Path) -> None:
    shown = run("backtest", "rules.toml", *DAY, "--wanted-per-hour", "100")
    assert shown.returncode == 0, shown.stderr
    assert "1 conversation, 0.01 hours of watched talk" in shown.stdout
    assert "1 alert, " in shown.stdout
    assert "half fired within 3 s" in shown.stdout
    assert "◂ this rule" in shown.stdout
    assert "nobody was watched" in shown.stdout  # by the rule for bots
    assert "1/1" in shown.stderr
    told = run("backtest", "rules.toml", *DAY, "--json", "--rule", "calm")
    [line] = told.stdout.splitlines()
    body = json.loads(line)
    assert (body["rule"], body["alerts"], body["from"]) == ("calm", 1, "2025-11-24T00:00:00Z")
    assert body["delay_s"] == {"median": 3.0, "p90": 3.0}
    other = run("backtest", "rules.toml", *DAY, "--json", "--rule", "calm", "--queue", "x")
    assert json.loads(other.stdout)["conversations"] == 0


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["rules.toml", "--from", "2025-11-24"], 2, "--to"),
        (["rules.toml", "--from", "soon", "--to", "2025-11-25"], 2, "soon"),
        (["rules.toml", *reversed(DAY[1::2])], 2, ""),
        (["rules.toml", "--from", "2025-11-25", "--to", "2025-11-24"], 1, "is not after --from"),
        (["rules.toml", *DAY, "--rule", "x"], 1, "there is no rule x; it holds calm, never"),
        (["rules.toml", *DAY, "--wanted-per-hour", "0"], 1, "write one above 0"),
        (["none.toml", *DAY], 1, "none.toml: No such file"),
    ],
)
def test_backtest_says_what_is_wrong(
    run: Run, folder: Path, arguments: list[str], status: int, said: str
) -> None:
    done = run("backtest", *arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr
