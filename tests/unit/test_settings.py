"""Settings come from a file and the environment; a key that nobody knows is an error."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from streams.settings import Settings, load


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_environment_wins_over_the_file_and_the_command_line_over_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("affectstream.toml").write_text('tenant = "file"\ngroup = "file"\n')
    monkeypatch.setenv("AFFECTSTREAM_GROUP", "environment")
    settings = load(api_port=1, dashboard_port=None)
    assert (settings.tenant, settings.group, settings.api_port) == ("file", "environment", 1)
    assert settings.dashboard_port == 8080


@pytest.mark.parametrize("name", ["AFFECTSTREAM_KAFKAA", "affectstream_worker_prot"])
def test_a_variable_that_names_no_setting_is_refused_by_name(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "x")
    with pytest.raises(ValidationError, match=name.lower().removeprefix("affectstream_")):
        load()


def test_a_key_of_the_file_that_names_no_setting_is_refused() -> None:
    Path("affectstream.toml").write_text("kafkaa = 1\n")
    with pytest.raises(ValidationError, match="kafkaa"):
        load()


def test_variables_of_the_test_suite_are_nobodys_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFFECTSTREAM_TEST_KAFKA", "x")
    monkeypatch.setenv("AFFECTSTREAM_SHARED", "x")
    load()


@pytest.mark.parametrize(
    ("given", "understood"),
    [
        ("postgres://u@h/d", "postgresql+asyncpg://u@h/d"),
        ("postgresql://u@h/d", "postgresql+asyncpg://u@h/d"),
        ("sqlite:///x.db", "sqlite+aiosqlite:///x.db"),
        ("postgresql+asyncpg://u@h/d", "postgresql+asyncpg://u@h/d"),
    ],
)
def test_the_usual_spellings_of_a_database_are_understood(given: str, understood: str) -> None:
    assert Settings(database_url=given).database_url.get_secret_value() == understood


@pytest.mark.parametrize(
    "servers", ["broker", "broker:", "broker:x", ":9092", "a:1,b", "a:1, b:2", "a:70000", ""]
)
def test_servers_that_no_client_could_connect_to_are_refused(servers: str) -> None:
    with pytest.raises(ValidationError, match="no host:port"):
        load(kafka=servers)


@pytest.mark.parametrize("servers", ["broker:9092", "a:1,b:2", "[::1]:9092", "10.0.0.1:9092"])
def test_servers_are_host_and_port_with_commas_between(servers: str) -> None:
    assert load(kafka=servers).kafka == servers


def test_windows_that_would_leave_time_out_are_refused() -> None:
    assert load(window_ms=1_000, hop_ms=1_000).hop_ms == 1_000
    for wrong in ({"window_ms": 1_000, "hop_ms": 1_001}, {"window_ms": 500}):
        with pytest.raises(ValidationError, match="longer than window_ms"):
            load(**wrong)


@pytest.mark.parametrize("content", [b'kafka = "', b"\xff\xfe"])
def test_a_file_that_is_no_toml_is_refused_by_name(content: bytes) -> None:
    Path("affectstream.toml").write_bytes(content)
    with pytest.raises(ValidationError, match=r"affectstream\.toml`?\n  no TOML"):
        load()


def test_the_digest_changes_with_what_changes_scores_and_with_nothing_else() -> None:
    digest = load().scoring_digest
    assert load(api_port=1, kafka="elsewhere:1").scoring_digest == digest
    assert load(hop_ms=500).scoring_digest != digest
    assert load(policy="text-only").scoring_digest != digest
    assert load(text_plus=True).scoring_digest != digest


def test_secrets_are_not_shown() -> None:
    settings = load(database_url="postgresql://u:hidden@h/d")
    assert "hidden" not in repr(settings)
