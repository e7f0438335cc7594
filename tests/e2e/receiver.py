"""A program that hears of alerts: it takes a message only if its signature is right."""

import base64
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

KEY: Final = bytes(range(32))
SECRET: Final = f"whsec_{base64.b64encode(KEY).decode()}"
OLD_S: Final = 300


@dataclass
class Heard:
    """What came."""

    messages: list[tuple[str, Any]] = field(default_factory=list)
    """Id and body of each that was taken."""
    refused: list[str] = field(default_factory=list)
    """Why, of each that was not."""


@contextmanager
def receiver(port: int) -> Iterator[Heard]:
    """Listens on loopback until the block ends."""
    heard = Heard()

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            wrong = _wrong(dict(self.headers), body)
            if wrong:
                heard.refused.append(wrong)
            else:
                heard.messages.append((self.headers["webhook-id"], json.loads(body)))
            self.send_response(400 if wrong else 204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", port), Hook) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield heard
        finally:
            server.shutdown()
            thread.join()


def _wrong(headers: dict[str, str], body: bytes) -> str:
    """Why a message is not to be believed; empty where it is."""
    named = {name.lower(): value for name, value in headers.items()}
    message, sent = named["webhook-id"], named["webhook-timestamp"]
    if abs(time.time() - int(sent)) > OLD_S:
        return f"{message} was sent at {sent}"
    mac = base64.b64encode(hmac.digest(KEY, f"{message}.{sent}.".encode() + body, "sha256"))
    if named["webhook-signature"] != f"v1,{mac.decode()}":
        return f"{message} is not signed with our key"
    if (named["ce-id"], named["ce-type"]) != (message, "affect.alerts.v1"):
        return f"{message} is no event of an alert"
    return ""
