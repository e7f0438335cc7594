"""The tables. Times are event time in integer nanoseconds; keys begin with the tenant.

Sums are integers of ten-thousandths (`SCALE`): scores are rounded to four decimals, so a
recount of the scores gives exactly the stored sums, in any order.
"""

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB

from inference.labels import EMOTIONS, MODALITIES
from storage.vectors import Vector

SCALE: Final = 10_000

metadata: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)
_json: Final = JSON().with_variant(JSONB(), "postgresql")
_counter: Final = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite counts by itself only in columns declared INTEGER."""


def _id() -> String:
    return String(128)


conversations: Final = Table(
    "conversations",
    metadata,
    Column("tenant", _id(), primary_key=True),
    Column("conversation", _id(), primary_key=True),
    Column("queue", String(256), nullable=False),
    Column("language", String(256), nullable=False),
    Column("region", String(256), nullable=False),
    Column("purpose", String(256), nullable=False),
    Column("channel", String(256), nullable=False),
    Column("started_ns", BigInteger, nullable=False),
    Column("ended_ns", BigInteger),
    Index(None, "tenant", "started_ns"),
)

participants: Final = Table(
    "participants",
    metadata,
    Column("tenant", _id(), primary_key=True),
    Column("conversation", _id(), primary_key=True),
    Column("participant", _id(), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("joined_ns", BigInteger, nullable=False),
    Column("subject", String(64)),
    Index(None, "tenant", "subject"),
)
"""`subject` is a keyed digest of who it is, never the name itself; null where nobody said."""

progress: Final = Table(
    "progress",
    metadata,
    Column("tenant", _id(), primary_key=True),
    Column("run", _id(), primary_key=True),
    Column("conversation", _id(), primary_key=True),
    Column("participant", _id(), primary_key=True),
    Column("closed_until_ns", BigInteger, nullable=False),
    Column("flushed_until_ns", BigInteger, nullable=False),
    Column("state", LargeBinary, nullable=False),
    Column("state_version", Integer, nullable=False),
    Column("alerts", LargeBinary, nullable=False, server_default=""),
)
"""`alerts` is what the alert rules carry from one window to the next, opaque here."""

window_scores: Final = Table(
    "window_scores",
    metadata,
    Column("tenant", _id(), primary_key=True),
    Column("run", _id(), primary_key=True),
    Column("conversation", _id(), primary_key=True),
    Column("participant", _id(), primary_key=True),
    Column("start_ns", BigInteger, primary_key=True),
    Column("end_ns", BigInteger, nullable=False),
    Column("role", String(16), nullable=False),
    Column("emotions", _json),
    Column("distress", Double),
    Column("distress_smoothed", Double),
    Column("arousal", Double),
    Column("valence", Double),
    Column("label", String(16)),
    Column("label_set", _json, nullable=False),
    Column("coverage", Double, nullable=False),
    Column("abstained", Boolean, nullable=False),
    Column("conflict", Double, nullable=False),
    Column("vacuity", Double, nullable=False),
    Column("partial", Boolean, nullable=False),
    Column("shed", _json, nullable=False),
    Column("versions", _json, nullable=False),
    Column("change", Double),
    Column("context", _json),
    Column("expected", _json),
    postgresql_partition_by="RANGE (start_ns)",
)
"""On PostgreSQL partitioned by event time; the first migration makes the default partition."""

window_evidence: Final = Table(
    "window_evidence",
    metadata,
    Column("tenant", _id(), primary_key=True),
    Column("run", _id(), primary_key=True),
    Column("conversation", _id(), primary_key=True),
    Column("participant", _id(), primary_key=True),
    Column("start_ns", BigInteger, primary_key=True),
    Column("modality", String(16), primary_key=True),
    Column("present", Boolean, nullable=False),
    Column("weight", Double),
    Column("reason", String(16)),
    Column("quality", _json),
    Column("cues", _json, nullable=False),
    postgresql_partition_by="RANGE (start_ns)",
)

utterances: Final = Table(
    "utterances",
    metadata,
    Column("tenant", _id(), primary_key=True),
    Column("conversation", _id(), primary_key=True),
    Column("participant", _id(), primary_key=True),
    Column("segment", _id(), primary_key=True),
    Column("start_ns", BigInteger, nullable=False),
    Column("end_ns", BigInteger, nullable=False),
    Column("text", Text, nullable=False),
    Column("language", String(64), nullable=False),
    Column("confidence", Double),
)
"""Words, only where transcripts are kept: the revision that the scores saw."""

moments: Final = Table(
    "moments",
    metadata,
    Column("tenant", _id(), primary_key=True),
    Column("conversation", _id(), primary_key=True),
    Column("participant", _id(), primary_key=True),
    Column("start_ns", BigInteger, primary_key=True),
    Column("end_ns", BigInteger, nullable=False),
    Column("vector", Vector, nullable=False),
    Column("imputed", Boolean, nullable=False),
    Column("space", String(128), nullable=False),
    Column("role", String(16), nullable=False),
    Column("label", String(16)),
    Column("distress", Double),
    Index(None, "tenant", "start_ns"),
)
"""Windows of `live` as they are searched for; only where search is switched on.

`role`, `label` and `distress` are those of the score: what is filtered by lies beside what is
ranked by, or PostgreSQL would have to guess how much a join leaves.
"""

own_labels: Final = Table(
    "own_labels",
    metadata,
    Column("tenant", _id(), primary_key=True),
    Column("label", _id(), primary_key=True),
    Column("prompts", _json, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("created_by", String(256), nullable=False),
)
"""Labels that somebody described in words of their own."""

label_judgements: Final = Table(
    "label_judgements",
    metadata,
    Column("tenant", _id(), primary_key=True),
    Column("label", _id(), primary_key=True),
    Column("conversation", _id(), primary_key=True),
    Column("participant", _id(), primary_key=True),
    Column("start_ns", BigInteger, primary_key=True),
    Column("holds", Boolean, nullable=False),
    Column("judged_ns", BigInteger, nullable=False),
    Column("judged_by", String(256), nullable=False),
    Index(None, "tenant", "conversation"),
)
"""Whether a label holds for a window, as somebody judged it."""

rollups: Final = Table(
    "rollups",
    metadata,
    Column("tenant", _id(), primary_key=True),
    Column("run", _id(), primary_key=True),
    Column("conversation", _id(), primary_key=True),
    Column("participant", _id(), primary_key=True),
    Column("minute_ns", BigInteger, primary_key=True),
    Column("queue", String(256), nullable=False),
    Column("role", String(16), nullable=False),
    Column("language", String(256), nullable=False),
    Column("windows", BigInteger, nullable=False),
    Column("scored", BigInteger, nullable=False),
    Column("abstained", BigInteger, nullable=False),
    Column("partial", BigInteger, nullable=False),
    Column("distress_sum", BigInteger, nullable=False),
    Column("arousal_sum", BigInteger, nullable=False),
    Column("valence_sum", BigInteger, nullable=False),
    Column("conflict_sum", BigInteger, nullable=False),
    *(Column(f"{modality}_present", BigInteger, nullable=False) for modality in MODALITIES),
    *(Column(f"{emotion}_sum", BigInteger, nullable=False) for emotion in EMOTIONS),
    Index(None, "tenant", "run", "minute_ns"),
)
"""Per participant and minute of window start: counts, and sums times `SCALE`."""

outbox: Final = Table(
    "outbox",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("tenant", _id(), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("conversation", _id(), nullable=False),
    Column("participant", _id(), nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("traceparent", String(64)),
)
"""`traceparent` is of the span that made the row; null where nobody traces."""

deliveries: Final = Table(
    "deliveries",
    metadata,
    Column("outbox_id", String(36), ForeignKey("outbox.id", ondelete="CASCADE"), primary_key=True),
    Column("sink", String(160), primary_key=True),
    Column("tenant", _id(), nullable=False),
    Column("conversation", _id(), nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_ns", BigInteger, nullable=False),
    Column("dead", Boolean, nullable=False),
    Column("error", Text),
    Index(None, "sink", "dead", "at_ns"),
)
"""One row for each sink that still has to take an outbox row; gone once it did."""

feed: Final = Table(
    "feed",
    metadata,
    Column("feed_id", _counter, primary_key=True, autoincrement=True),
    Column("tenant", _id(), nullable=False),
    Column("conversation", _id(), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("stored_ns", BigInteger, nullable=False),
    Index(None, "tenant", "feed_id"),
    Index(None, "stored_ns"),
    sqlite_autoincrement=True,
)
"""What live readers resume from, numbered by the one relay. `stored_ns` is wall time."""

rules: Final = Table(
    "rules",
    metadata,
    Column("tenant", _id(), primary_key=True),
    Column("name", _id(), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("valid_from_ns", BigInteger, nullable=False),
    Column("body", _json),
    Column("author", String(256), nullable=False),
    Column("stored_ns", BigInteger, nullable=False),
)
"""Versions never change. One holds for windows that start at `valid_from_ns` or later, until
the next; a null body ends the rule."""

alerts: Final = Table(
    "alerts",
    metadata,
    Column("tenant", _id(), primary_key=True),
    Column("run", _id(), primary_key=True),
    Column("alert", String(36), primary_key=True),
    Column("conversation", _id(), nullable=False),
    Column("participant", _id(), nullable=False),
    Column("role", String(16), nullable=False),
    Column("queue", String(256), nullable=False),
    Column("language", String(256), nullable=False),
    Column("rule", _id(), nullable=False),
    Column("rule_version", Integer, nullable=False),
    Column("severity", String(16), nullable=False),
    Column("metric", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("pending_ns", BigInteger, nullable=False),
    Column("fired_ns", BigInteger, nullable=False),
    Column("resolved_ns", BigInteger),
    Column("reason", String(32)),
    Column("peak", Double),
    Column("evidence", _json, nullable=False),
    Column("sinks", _json, nullable=False),
    Column("acknowledged_ns", BigInteger),
    Column("acknowledged_by", String(256)),
    Column("acknowledged_note", Text),
    Column("snoozed_until_ns", BigInteger),
    Column("snoozed_by", String(256)),
    Column("verdict", String(16)),
    Column("verdict_ns", BigInteger),
    Column("verdict_by", String(256)),
    Column("note", Text),
    Column("narrative", Text),
    Column("narrator", String(128)),
    Index(None, "tenant", "run", "fired_ns"),
    Index(None, "tenant", "conversation"),
)
"""One row for each time a rule fired. What people did with it never reaches the state machine.

`narrative` is what the narrator said when it fired.
`sinks` are those beside Kafka and the feed that were told, so that they hear of the
end, too. Times of the machine are event time, those of people are wall time.
"""

alert_events: Final = Table(
    "alert_events",
    metadata,
    Column("tenant", _id(), primary_key=True),
    Column("run", _id(), primary_key=True),
    Column("conversation", _id(), primary_key=True),
    Column("participant", _id(), primary_key=True),
    Column("rule", _id(), primary_key=True),
    Column("at_ns", BigInteger, primary_key=True),
    Column("state", String(16), primary_key=True),
    Column("alert", String(36), nullable=False),
    Column("rule_version", Integer, nullable=False),
    Column("reason", String(32)),
    Column("value", Double),
    Column("evidence", _json, nullable=False),
    Index(None, "tenant", "run", "alert"),
)
"""Every transition, with the windows that caused it; `state` is the one that began."""

policy_decisions: Final = Table(
    "policy_decisions",
    metadata,
    Column("tenant", _id(), primary_key=True),
    Column("conversation", _id(), primary_key=True),
    Column("participant", _id(), primary_key=True),
    Column("modality", String(16), primary_key=True),
    Column("at_ns", BigInteger, primary_key=True),
    Column("allowed", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("profile", String(64), nullable=False),
    Column("facts", _json, nullable=False),
    Index(None, "tenant", "at_ns"),
)
"""One row for each decision and each change of one; `facts` are what it was decided on."""

consents: Final = Table(
    "consents",
    metadata,
    Column("tenant", _id(), primary_key=True),
    Column("conversation", _id(), primary_key=True),
    Column("participant", _id(), primary_key=True),
    Column("at_ns", BigInteger, primary_key=True),
    Column("consent", String(16)),
    Column("notice", String(16)),
    Column("deleted_windows", Integer, nullable=False),
    Index(None, "tenant", "at_ns"),
)
"""What was said of consent and notice, and how many stored windows a withdrawal took."""

erasures: Final = Table(
    "erasures",
    metadata,
    Column("tenant", _id(), primary_key=True),
    Column("erasure", String(36), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("actor", String(256), nullable=False),
    Column("receipt", _json, nullable=False),
    Index(None, "tenant", "at_ns"),
)
"""What was erased, in numbers: never whose."""

tombstones: Final = Table(
    "tombstones",
    metadata,
    Column("tenant", _id(), primary_key=True),
    Column("digest", String(64), primary_key=True),
    Column("erased_ns", BigInteger, nullable=False),
    Column("until_ns", BigInteger, nullable=False),
)
"""Keyed digests of erased conversations: what of them still lies on Kafka is not scored again."""

api_keys: Final = Table(
    "api_keys",
    metadata,
    Column("key_id", String(36), primary_key=True),
    Column("tenant", _id(), nullable=False),
    Column("name", String(256), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("rank", String(16), nullable=False),
    Column("scopes", _json, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("created_by", String(256), nullable=False),
    Column("expires_ns", BigInteger),
    Column("revoked_ns", BigInteger),
    Column("used_ns", BigInteger),
    Index(None, "digest", unique=True),
    Index(None, "tenant", "created_ns"),
)
"""Only digests of keys: a key is shown once, when it is made."""

audit_log: Final = Table(
    "audit_log",
    metadata,
    Column("entry", _counter, primary_key=True, autoincrement=True),
    Column("tenant", _id(), nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("actor", String(256), nullable=False),
    Column("action", String(64), nullable=False),
    Column("conversation", _id()),
    Column("details", _json, nullable=False),
    Index(None, "tenant", "entry"),
    Index(None, "tenant", "conversation"),
    sqlite_autoincrement=True,
)
"""Who did or looked at what, when (wall time)."""
