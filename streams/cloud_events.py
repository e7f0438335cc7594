"""CloudEvents 1.0 in Kafka's binary mode: the envelope is headers, the value stays itself."""

from typing import Final

from streams import traces

SOURCE: Final = "affectstream"
JSON: Final = "application/json"
MSGPACK: Final = "application/msgpack"


def cloud_event(event_id: str, kind: str, *, subject: str, content_type: str) -> dict[str, str]:
    """Headers of one record; among them `traceparent` while a span is open.

    Args:
        event_id: the same for the same event, however often it is sent.
        kind: type of the event, for example `affect.scores.v1`.
        subject: what it is about: `tenant/conversation`.
        content_type: of the value.
    """
    return {
        "ce_specversion": "1.0",
        "ce_id": event_id,
        "ce_source": SOURCE,
        "ce_type": kind,
        "ce_subject": subject,
        "content-type": content_type,
        **traces.headers(),
    }
