"""Webhooks as their receivers see them: signed, with headers, set up without leaking secrets."""

import base64
import hashlib
import hmac
import json
import logging
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from pydantic import ValidationError

from storage.outbox import Message
from streams.cli._scoring import alert_targets
from streams.settings import Settings, load
from streams.telemetry import configure_logging
from streams.worker.sinks.http_post import open_client
from streams.worker.sinks.target import RefusedError
from streams.worker.sinks.webhook import Webhook, signature

ROOT = Path(__file__).parents[2]
KEY = bytes(range(32))
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"
BODY = b'{"transition":"firing","alert":{}}'
MESSAGE = Message(
    id="0b0e8d1c-0000-5000-8000-000000000001",
    sink="webhook:crm",
    tenant="acme",
    kind="alert",
    conversation="c-1",
    participant="p-1",
    at_ns=1,
    payload=BODY,
    attempts=0,
)


async def sent(now_ns: int = 1_764_000_000_999_999_999) -> httpx.Request:
    """What a receiver gets of `MESSAGE`."""
    requests: list[httpx.Request] = []

    def take(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200)

    async with httpx.AsyncClient(transport=httpx.MockTransport(take)) as client:
        webhook = Webhook(
            "crm", "https://crm.test/hook?token=t0p", KEY, client=client, now_ns=lambda: now_ns
        )
        await webhook.send(MESSAGE)
    [request] = requests
    return request


async def test_the_signature_verifies_by_the_recipe_of_standard_webhooks() -> None:
    request = await sent()
    headers = request.headers
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    signed = b".".join(
        (headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), request.content)
    )
    mac = hmac.new(key, signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(mac).decode()}"
    assert headers["webhook-timestamp"] == "1764000000"
    assert request.content == BODY


def test_the_signature_is_that_of_a_vector_made_elsewhere() -> None:
    """`openssl dgst -sha256 -mac HMAC -macopt hexkey:0001…1f -binary | base64`."""
    expected = "v1,429JBr88K5yV8b+CROIyrs+PQraaeoGAfGvuEq8thxE="
    assert signature(KEY, "msg_1", "1764000000", b"{}") == expected


async def test_the_headers_are_those_of_a_cloud_event() -> None:
    headers = (await sent()).headers
    assert {name: value for name, value in headers.items() if name.startswith("ce-")} == {
        "ce-id": MESSAGE.id,
        "ce-specversion": "1.0",
        "ce-source": "affectstream",
        "ce-type": "affect.alerts.v1",
        "ce-subject": "acme/c-1",
    }
    assert headers["webhook-id"] == MESSAGE.id
    assert headers["content-type"] == "application/json"


async def test_the_receiver_of_the_documentation_takes_ours_once_and_no_forgery(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
    [example] = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs/webhooks.md").read_text(), re.DOTALL
    )
    names: dict[str, Any] = {}
    exec(example, names)
    receive = names["receive"]
    request = await sent(time.time_ns())
    assert receive(request.headers, request.content) == json.loads(BODY)
    assert receive(request.headers, request.content) is None
    with pytest.raises(ValueError, match="not signed"):
        receive(request.headers, request.content + b" ")
    stale = await sent(time.time_ns() - 301_000_000_000)
    with pytest.raises(ValueError, match="too long ago"):
        receive(stale.headers, stale.content)


@pytest.fixture
def logging_restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.usefixtures("logging_restored")
async def test_a_redirect_is_not_followed_and_no_log_tells_the_address(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def elsewhere(_: object, request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(302, headers={"location": "https://evil.test/"})

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", elsewhere)
    configure_logging("debug", "json")
    async with open_client() as client:
        webhook = Webhook("crm", "https://crm.test/hook?token=t0p", KEY, client=client)
        with pytest.raises(RefusedError, match="redirects are not followed") as refused:
            await webhook.send(MESSAGE)
    assert asked == ["https://crm.test/hook?token=t0p"]
    assert "t0p" not in str(refused.value) + capsys.readouterr().err


def configured(**webhook: Any) -> Settings:
    return load(webhooks={"crm": {"url": "https://crm.test/t0p", "secret": SECRET, **webhook}})


def test_settings_become_targets_and_show_no_secret() -> None:
    settings = load(
        webhooks={
            "crm": {"url": "https://crm.test/t0p", "secret": SECRET, "tenant": "acme"},
            "all": {"url": "http://127.0.0.1:9000", "secret": SECRET},
        },
        alertmanager_url="http://us:t0p@127.0.0.1:9093",
        public_url="https://calls.test",
    )
    targets = alert_targets(settings, httpx.AsyncClient())
    assert [(one.sink, one.tenant) for one in targets] == [
        ("webhook:crm", "acme"), ("webhook:all", None), ("alertmanager", None),
    ]  # fmt: skip
    assert settings.webhooks["crm"].key == KEY
    shown = json.dumps(settings.model_dump(mode="json")) + repr(settings)
    assert "t0p" not in shown
    assert SECRET not in shown
    assert "acme" in shown
    assert alert_targets(load(), httpx.AsyncClient()) == []


@pytest.mark.parametrize(
    ("webhook", "why"),
    [
        ({"url": "ftp://crm.test/x"}, "no http:// or https:// address"),
        ({"url": "crm.test"}, "no http:// or https:// address"),
        ({"secret": "t0p"}, "whsec_"),
        ({"secret": f"whsec_{base64.b64encode(b'short').decode()}"}, "24 to 64 bytes"),
        ({"secret": "whsec_!!"}, "24 to 64 bytes"),
        ({"tenant": "a/b"}, "tenant"),
        ({"retries": 3}, "retries"),
    ],
)
def test_settings_that_cannot_work_are_refused_without_repeating_them(
    webhook: dict[str, Any], why: str
) -> None:
    with pytest.raises(ValidationError, match=re.escape(why)):
        configured(**webhook)


@pytest.mark.parametrize("name", ["", "a b", "x" * 129])
def test_names_of_webhooks_are_ids(name: str) -> None:
    with pytest.raises(ValidationError):
        load(webhooks={name: {"url": "https://crm.test", "secret": SECRET}})


@pytest.mark.parametrize("setting", ["alertmanager_url", "public_url"])
def test_addresses_are_checked(setting: str) -> None:
    with pytest.raises(ValidationError, match="no http:// or https:// address"):
        load(**{setting: "calls.test"})
