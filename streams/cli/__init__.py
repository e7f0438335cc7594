"""`affectstream …`: the composition root. Nothing imports it.

Each command lives in a module of its own and is imported when it is called, so that
`--help` stays quick and a command pays only for what it uses.
"""

import os
import select
import sys
from collections.abc import Sequence
from typing import Final

import cyclopts
import pydantic
from rich.console import Console

from inference.errors import AffectstreamError

HELP: Final = ("--help", "-h")
app: Final = cyclopts.App(
    name="affectstream",
    help_flags=HELP,
    help="Watch conversations while they happen: scores that say what they rest on.",
    version_flags=["--version"],
    result_action="return_value",
)
topics: Final = cyclopts.App(name="topics", help="Prepare Kafka topics.")
cache: Final = cyclopts.App(name="cache", help="Prepare the cache.")
db: Final = cyclopts.App(name="db", help="Prepare the database.")
api_keys: Final = cyclopts.App(name="keys", help="Keys of the API.")
train: Final = cyclopts.App(name="train", help="Make weights.")
evaluate: Final = cyclopts.App(name="evaluate", help="Judge weights; every published figure.")
third_party: Final = cyclopts.App(name="models", help="Optional third-party weights.")
rules: Final = cyclopts.App(name="rules", help="Alert rules: check, try, list.")
GROUPS: Final = (topics, db, cache, api_keys, rules, train, evaluate, third_party)
for group in GROUPS:
    app.command(group)
LISTS: Final[dict[tuple[str, ...], cyclopts.App]] = {(): app} | {
    (name,): group for group in GROUPS for name in group.name
}
"""Words of a command line that only ask for a list of commands."""

COMMANDS: Final = (
    # (app, path of the function, name): one line a command
    (app, "streams.cli.demo:demo", "demo"),
    (app, "streams.cli.score:score", "score"),
    (app, "streams.cli.ingest:ingest", "ingest"),
    (app, "streams.cli.worker:worker", "worker"),
    (app, "streams.cli.doctor:doctor", "doctor"),
    (app, "streams.cli.config:config", "config"),
    (app, "streams.cli.erase:erase", "erase"),
    (app, "streams.cli.retention:retention", "retention"),
    (app, "streams.cli.search:search", "search"),
    (topics, "streams.cli.topics_create:create", "create"),
    (db, "streams.cli.db_upgrade:upgrade", "upgrade"),
    (cache, "streams.cli.cache_rebuild:rebuild", "rebuild"),
    (app, "streams.cli.serve:serve", "serve"),
    (api_keys, "streams.cli.keys:create", "create"),
    (api_keys, "streams.cli.keys:list_", "list"),
    (api_keys, "streams.cli.keys:revoke", "revoke"),
    (app, "streams.cli.dashboard:dashboard", "dashboard"),
    (app, "streams.cli.documents:documents", "documents"),
    (train, "streams.cli.train_speech:speech", "speech"),
    (train, "streams.cli.train_text:text", "text"),
    (train, "streams.cli.train_words:words", "words"),
    (train, "streams.cli.train_alignment:alignment", "alignment"),
    (train, "streams.cli.train_encoder:encoder", "encoder"),
    (train, "streams.cli.train_temperature:temperature", "temperature"),
    (train, "streams.cli.train_face:face", "face"),
    (train, "streams.cli.train_calibration:calibration", "calibration"),
    (train, "streams.cli.train_fusion:fusion", "fusion"),
    (train, "streams.cli.train_imputation:imputation", "imputation"),
    (train, "streams.cli.train_narrator:narrator", "narrator"),
    (train, "streams.cli.train_context:context", "context"),
    (evaluate, "streams.cli.evaluate_speech:speech", "speech"),
    (evaluate, "streams.cli.evaluate_telephone:telephone", "telephone"),
    (evaluate, "streams.cli.evaluate_text:text", "text"),
    (evaluate, "streams.cli.evaluate_face:face", "face"),
    (evaluate, "streams.cli.evaluate_model:model", "model"),
    (evaluate, "streams.cli.evaluate_fusion:fusion_crema", "fusion-crema"),
    (evaluate, "streams.cli.evaluate_fusion:fusion_ravdess", "fusion-ravdess"),
    (evaluate, "streams.cli.evaluate_pairs:pairs", "pairs"),
    (evaluate, "streams.cli.evaluate_imputation:imputation", "imputation"),
    (evaluate, "streams.cli.evaluate_calls:calls", "calls"),
    (evaluate, "streams.cli.evaluate_methods:methods", "methods"),
    (evaluate, "streams.cli.evaluate_search:search", "search"),
    (evaluate, "streams.cli.evaluate_narrator:narrator", "narrator"),
    (evaluate, "streams.cli.evaluate_context:context", "context"),
    (evaluate, "streams.cli.evaluate_notes:notes", "notes"),
    (evaluate, "streams.cli.evaluate_all:all_", "all"),
    (evaluate, "streams.cli.evaluate_cards:cards", "cards"),
    (third_party, "streams.cli.models:fetch", "fetch"),
    (third_party, "streams.cli.models:list_", "list"),
    (third_party, "streams.cli.models_pull:pull", "pull"),
    (rules, "streams.cli.rules_check:check", "check"),
    (rules, "streams.cli.rules_backtest:backtest", "backtest"),
    (rules, "streams.cli.rules_list:list_", "list"),
)
for parent, path, name in COMMANDS:
    parent.command(path, name=name)

UNKNOWN: Final = "there is none of this name; `affectstream config` shows all"
USAGE_ERROR: Final = 2
FAILURE: Final = 1
INTERRUPTED: Final = 130


def main() -> None:
    """Run the command line; exit 2 on bad usage, 1 on failure."""
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    _import_listed(sys.argv[1:])
    try:
        result = app(exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except cyclopts.CycloptsError as exc:
        errors.print(f"[bold]affectstream:[/] {exc}", markup=True)
        sys.exit(USAGE_ERROR)
    except pydantic.ValidationError as exc:
        for problem in exc.errors():
            where = ".".join(str(part) for part in problem["loc"])
            said = UNKNOWN if problem["type"] == "extra_forbidden" else problem["msg"]
            errors.print(f"affectstream: setting {where}: {said}", markup=False)
        sys.exit(USAGE_ERROR)
    except AffectstreamError as exc:
        errors.print(f"affectstream: {exc}", markup=False)
        sys.exit(FAILURE)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        if not _reader_gone():
            raise
        sys.exit(FAILURE)
    sys.exit(result if isinstance(result, int) else 0)


def _import_listed(arguments: Sequence[str]) -> None:
    """Import the commands that a list is about to name: what a command does, it says itself."""
    listed = LISTS.get(tuple(word for word in arguments if word not in HELP))
    if listed is not None:
        listed.resolved_commands()


def _reader_gone() -> bool:
    """Whether nobody reads our output any more, as after `| head`; then the rest goes nowhere."""
    output = sys.stdout.fileno()
    pipe = select.poll()
    pipe.register(output, 0)  # errors are reported unasked
    gone = any(event & select.POLLERR for _, event in pipe.poll(0))
    if gone:
        os.dup2(os.open(os.devnull, os.O_WRONLY), output)
    return gone
