"""Commands of the product, run as a user runs them."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.admin import KafkaAdminClient

from streams import topics

PARTITIONS: Final = 4
DEADLINE_S: Final = 240


@dataclass
class Deployment:
    """One set of services and settings, seen only by the commands of one test."""

    kafka: str
    database_url: str
    cache_url: str
    folder: Path
    group: str = field(default_factory=lambda: f"test-{uuid.uuid4().hex[:8]}")
    settings: dict[str, str] = field(default_factory=dict)
    """Further variables that the commands see."""

    @property
    def environment(self) -> dict[str, str]:
        """What the commands see."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("AFFECTSTREAM_")
        }
        return {
            **kept,
            "AFFECTSTREAM_KAFKA": self.kafka,
            "AFFECTSTREAM_DATABASE_URL": self.database_url,
            "AFFECTSTREAM_CACHE_URL": self.cache_url,
            "AFFECTSTREAM_GROUP": self.group,
            "AFFECTSTREAM_PARTITIONS": str(PARTITIONS),
            "AFFECTSTREAM_TENANT": "acme",
            "AFFECTSTREAM_WORKER_PORT": "0",
            **self.settings,
        }

    def run(self, *arguments: str | Path, expect: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; its standard error is shown if the exit code is another."""
        done = subprocess.run(
            _command(arguments),
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        assert done.returncode == expect, f"{arguments}: {done.returncode}\n{done.stderr}"
        return done

    @contextmanager
    def started(self, *arguments: str | Path, name: str) -> Iterator[subprocess.Popen[bytes]]:
        """A command that runs until the block ends; its log is in the test's folder."""
        log = self.folder / f"{name}.log"
        with log.open("ab") as out:
            process = subprocess.Popen(
                _command(arguments), env=self.environment, cwd=self.folder, stdout=out, stderr=out
            )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def log(self, name: str) -> str:
        """What a started command wrote."""
        return (self.folder / f"{name}.log").read_text()

    def prepare(self) -> None:
        """Topics and tables; the group begins at the present end of every topic."""
        self.run("topics", "create")
        self.run("db", "upgrade")
        consumer = KafkaConsumer(
            bootstrap_servers=self.kafka, group_id=self.group, enable_auto_commit=False
        )
        try:
            places = _places(topics.INPUTS)
            consumer.assign(places)
            ends = consumer.end_offsets(places)
            consumer.commit({place: OffsetAndMetadata(end, "", -1) for place, end in ends.items()})
        finally:
            consumer.close()

    def ends(self, names: Sequence[str]) -> Mapping[TopicPartition, int]:
        """The present end of each partition of these topics."""
        consumer = KafkaConsumer(bootstrap_servers=self.kafka)
        try:
            ends: Mapping[TopicPartition, int] = consumer.end_offsets(_places(names))
        finally:
            consumer.close()
        return ends

    def committed(self) -> Mapping[TopicPartition, int]:
        """What the group committed."""
        admin = KafkaAdminClient(bootstrap_servers=self.kafka)
        try:
            offsets = admin.list_group_offsets(self.group)[self.group]
        finally:
            admin.close()
        return {place: item.offset for place, item in offsets.items()}


def until(condition: Callable[[], bool], what: str, process: subprocess.Popen[bytes]) -> None:
    """Wait for an outcome, not for a time; a process that died ends the wait."""
    deadline_s = time.monotonic() + DEADLINE_S
    while not condition():
        assert process.poll() is None, f"it exited with {process.returncode} before {what}"
        assert time.monotonic() < deadline_s, f"not within {DEADLINE_S} s: {what}"
        time.sleep(0.1)


def _command(arguments: Sequence[str | Path]) -> list[str]:
    return [sys.executable, "-m", "streams.cli", *map(str, arguments)]


def _places(names: Sequence[str]) -> list[TopicPartition]:
    return [TopicPartition(name, number) for name in names for number in range(PARTITIONS)]
