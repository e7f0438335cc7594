"""From which spans the records of a conversation came. Empty unless traces are on."""

from collections import OrderedDict
from typing import Final

from storage.values import ConversationKey
from streams.records import ControlEvent, Record
from streams.windows.participant import extent

CONVERSATIONS: Final = 10_000
SPANS: Final = 64
"""Of one conversation; at a span a second of media, twice what any window looks back."""


class Origins:
    """Remembers the event time that the records of each span cover; the oldest is forgotten."""

    def __init__(self) -> None:
        self._known: OrderedDict[ConversationKey, OrderedDict[str, tuple[int, int]]] = OrderedDict()

    def note(self, record: Record, traceparent: str) -> None:
        """A record came with this header."""
        if isinstance(record, ControlEvent):
            start_ns, end_ns = record.at_ns, record.at_ns + 1
        else:
            start_ns, end_ns = extent(record)
        key = ConversationKey(record.tenant, record.conversation)
        spans = self._known.setdefault(key, OrderedDict())
        first_ns, last_ns = spans.get(traceparent, (start_ns, end_ns))
        spans[traceparent] = min(first_ns, start_ns), max(last_ns, end_ns)
        self._known.move_to_end(key)
        if len(spans) > SPANS:
            spans.popitem(last=False)
        if len(self._known) > CONVERSATIONS:
            self._known.popitem(last=False)

    def of(self, key: ConversationKey, start_ns: int, end_ns: int) -> list[str]:
        """Spans of records within `[start_ns, end_ns)`, oldest first."""
        return [
            traceparent
            for traceparent, (first_ns, last_ns) in self._known.get(key, {}).items()
            if first_ns < end_ns and last_ns > start_ns
        ]

    def clear(self) -> None:
        """Forget everything."""
        self._known.clear()
