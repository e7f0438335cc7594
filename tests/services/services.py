"""Kafka, PostgreSQL and Redis for the tests: `services.py up`, `down`, `status`.

Given by AFFECTSTREAM_TEST_KAFKA, …_DATABASE and …_REDIS they are used as they are. Else
Docker starts those of deploy/compose.yaml; else, on Debian as root, they are installed and
started privately on free loopback ports. Only processes started here are ever ended.
Needs nothing but Python's standard library: it runs before anything is installed.
"""

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
STATE = ROOT / ".services" / "state.json"
JARS = ROOT / ".services" / "kafka-libs"
GIVEN = {
    "kafka": "AFFECTSTREAM_TEST_KAFKA",
    "database": "AFFECTSTREAM_TEST_DATABASE",
    "redis": "AFFECTSTREAM_TEST_REDIS",
}
PACKAGES = {
    "java": "default-jre-headless",
    "mvn": "maven",
    "redis-server": "redis-server",
    "initdb": "postgresql",
}
READY_S = 90


class CannotStartError(Exception):
    """No way to start the services here; the message says what to do."""


def say(text: str) -> None:
    """One line for a person."""
    print(f"services: {text}", flush=True)  # noqa: T201 - a script that talks to a person


def run(*command: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run to the end; raises CannotStartError with the last lines of its output."""
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, **options
    )
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise CannotStartError(f"{command[0]} failed with {done.returncode}:\n{tail}")
    return done


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def answers(port: int) -> bool:
    """Whether somebody accepts connections."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def await_ready(name: str, ready: Callable[[], bool], pid: int | None, log: Path) -> None:
    """Wait until a service answers; its log says why if it does not."""
    deadline = time.monotonic() + READY_S
    while not ready():
        ended = pid is not None and not alive(pid)
        if ended or time.monotonic() > deadline:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
            what = "ended" if ended else f"does not answer after {READY_S} s"
            raise CannotStartError(f"{name} {what}:\n{tail}")
        time.sleep(0.1)


def alive(pid: int) -> bool:
    """Whether the process runs; an ended child is collected."""
    try:
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return False
    except ChildProcessError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def postgres_tool(name: str) -> Path | None:
    """Debian keeps the server's programs outside the path."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return found[-1] if found else None


def missing_packages() -> list[str]:
    """Debian packages whose programs are not here."""
    here = {name: bool(shutil.which(name)) for name in PACKAGES}
    here["initdb"] = postgres_tool("initdb") is not None
    return [package for name, package in PACKAGES.items() if not here[name]]


@contextmanager
def nothing_started_by_packages() -> Iterator[None]:
    """Debian's packages start their servers on the usual ports, unless this file says no."""
    policy = Path("/usr/sbin/policy-rc.d")
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()


def install() -> None:
    """Install what is missing, and fetch Kafka."""
    missing = missing_packages()
    if missing:
        if os.geteuid() != 0 or not shutil.which("apt-get"):
            raise CannotStartError(
                f"missing: {', '.join(missing)}. Install them, start Docker, or name running "
                f"services in {', '.join(GIVEN.values())}"
            )
        say(f"installing {', '.join(missing)}")
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        apt = ("apt-get", "-o", "DPkg::Lock::Timeout=120", "-qq", "-y")
        with nothing_started_by_packages():
            run(*apt, "update", env=environment)
            run(*apt, "install", "--no-install-recommends", *missing, env=environment)
    if not any(JARS.glob("kafka_*.jar")):
        say("fetching Kafka with Maven")
        goal = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
        run("mvn", "-q", "-B", "-f", HERE / "pom.xml", goal, f"-DoutputDirectory={JARS}")


def spawn(folder: Path, *command: str | Path) -> int:
    """Start a process of its own session; its output goes to `server.log`."""
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    return process.pid


def start_kafka(folder: Path) -> tuple[str, int]:
    """A broker in KRaft mode; returns its address and process id."""
    folder.mkdir()
    port, controller = free_port(), free_port()
    properties = folder / "server.properties"
    template = (HERE / "server.properties").read_text()
    for name, value in (("port", port), ("controller", controller), ("folder", folder)):
        template = template.replace(f"{{{name}}}", str(value))
    properties.write_text(template)
    java: list[str | Path] = ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    java += ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{JARS}/*"]
    cluster = "MkU3OEVBNTcwNTJENDM2Qg"
    run(*java, "kafka.tools.StorageTool", "format", "--standalone", "-t", cluster, "-c", properties)
    pid = spawn(folder, *java, "-Xms256m", "-Xmx512m", "kafka.Kafka", properties)
    await_ready("Kafka", lambda: answers(port), pid, folder / "server.log")
    return f"127.0.0.1:{port}", pid


def start_postgres(folder: Path, programs: Path | None = None) -> tuple[str, int]:
    """A private cluster; root may not run it, so as root the user postgres does.

    `programs` is where initdb and pg_ctl lie; None looks where Debian has them, then on the path.
    """
    folder.mkdir()

    def tool(name: str) -> Path | str:
        return programs / name if programs else postgres_tool(name) or name

    port = free_port()
    as_user: list[str] = []
    if os.geteuid() == 0:
        owner = pwd.getpwnam("postgres")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]
    data = folder / "data"
    run(
        *as_user, tool("initdb"), "-D", data, "-U", "affectstream",
        "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync",
        cwd=folder,
    )  # fmt: skip
    # Without fsync a killed process loses nothing, a power cut may: right for tests only.
    options = (
        f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' "
        "-c fsync=off -c full_page_writes=off -c max_connections=100 -c shared_buffers=64MB"
    )
    run(
        *as_user, tool("pg_ctl"), "-D", data, "-w", "-t", str(READY_S),
        "-l", data / "server.log", "-s", "-o", options, "start",
        cwd=folder,
    )  # fmt: skip
    pid = int((data / "postmaster.pid").read_text().splitlines()[0])
    return f"postgresql+asyncpg://affectstream@127.0.0.1:{port}/postgres", pid


def start_redis(folder: Path) -> tuple[str, int]:
    """A server that keeps nothing on disk."""
    folder.mkdir()
    port = free_port()
    pid = spawn(
        folder, "redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", folder,
        "--save", "", "--appendonly", "no", "--daemonize", "no",
    )  # fmt: skip
    await_ready("Redis", lambda: answers(port), pid, folder / "server.log")
    return f"redis://127.0.0.1:{port}/0", pid


def docker_answers() -> bool:
    """Whether a Docker engine can be asked, not only its client."""
    if not shutil.which("docker"):
        return False
    done = subprocess.run(["docker", "info"], capture_output=True, check=False, timeout=30)
    return done.returncode == 0


def compose(*arguments: str) -> None:
    """docker compose on the file of the deployment, under a project of its own."""
    run(
        "docker",
        "compose",
        "-p",
        "affectstream-test",
        "-f",
        ROOT / "deploy/compose.yaml",
        *arguments,
    )


def read_state() -> dict[str, Any]:
    """What runs; empty if nothing does."""
    state: dict[str, Any] = json.loads(STATE.read_text()) if STATE.exists() else {}
    return state


def up() -> None:
    """Start what is not given and does not run yet."""
    given = {
        name: os.environ[variable] for name, variable in GIVEN.items() if os.environ.get(variable)
    }
    if len(given) == len(GIVEN):
        say("all are given by the environment")
        return
    state = read_state()
    if state and all(alive(pid) for pid in state.get("pids", {}).values()):
        say("they run already")
        return
    STATE.parent.mkdir(exist_ok=True)
    if docker_answers():
        compose("up", "-d", "--wait", "kafka", "postgres", "redis")
        state = {
            "kafka": "127.0.0.1:9092",
            "database": "postgresql+asyncpg://affectstream:affectstream@127.0.0.1:5432/postgres",
            "redis": "redis://127.0.0.1:6379/0",
            "compose": True,
        }
        STATE.write_text(json.dumps(state, indent=2))
        say("started with Docker")
        return
    install()
    # PostgreSQL's user must be able to enter the folder, which a checkout need not allow.
    folder = Path(tempfile.gettempdir()) / f"affectstream-services-{uuid.uuid4().hex[:8]}"
    folder.mkdir(mode=0o755)
    starters = {"kafka": start_kafka, "database": start_postgres, "redis": start_redis}
    state = {"folder": str(folder), "pids": {}}
    for name, start in starters.items():
        if name not in given:
            state[name], state["pids"][name] = start(folder / name)
            STATE.write_text(json.dumps(state, indent=2))
            say(f"{name} at {state[name]}")


def end(pids: Collection[int]) -> None:
    """End processes that were started here, by force after a while."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in pids:
            if alive(pid):
                os.kill(pid, number)
        deadline = time.monotonic() + 15
        while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
            time.sleep(0.1)


def down() -> None:
    """End what `up` started, by process id."""
    state = read_state()
    if state.get("compose"):
        compose("down", "--volumes")
    pids = state.get("pids", {}).values()
    end(pids)
    if "folder" in state:
        shutil.rmtree(state["folder"], ignore_errors=True)
    STATE.unlink(missing_ok=True)
    say("none left running")


def status() -> None:
    """Print what runs."""
    state = read_state()
    for name, variable in GIVEN.items():
        say(f"{name}: {os.environ.get(variable) or state.get(name, 'not running')}")


def main() -> int:
    """Exit code 0, or 3 where the services cannot be started here."""
    actions = {"up": up, "down": down, "status": status}
    if len(sys.argv) != 2 or sys.argv[1] not in actions:
        say(f"usage: services.py {'|'.join(actions)}")
        return 2
    try:
        actions[sys.argv[1]]()
    except CannotStartError as exc:
        say(f"cannot start them here: {exc}")
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
