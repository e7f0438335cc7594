"""Alerts, rules, policy decisions, access, audit and erasure."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_counter = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "alert_events",
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("run", sa.String(length=128), nullable=False),
        sa.Column("conversation", sa.String(length=128), nullable=False),
        sa.Column("participant", sa.String(length=128), nullable=False),
        sa.Column("rule", sa.String(length=128), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("alert", sa.String(length=36), nullable=False),
        sa.Column("rule_version", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=True),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("evidence", _json, nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant",
            "run",
            "conversation",
            "participant",
            "rule",
            "at_ns",
            "state",
            name=op.f("pk_alert_events"),
        ),
    )
    op.create_index(
        op.f("ix_alert_events_tenant_run_alert"),
        "alert_events",
        ["tenant", "run", "alert"],
        unique=False,
    )
    op.create_table(
        "alerts",
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("run", sa.String(length=128), nullable=False),
        sa.Column("alert", sa.String(length=36), nullable=False),
        sa.Column("conversation", sa.String(length=128), nullable=False),
        sa.Column("participant", sa.String(length=128), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("queue", sa.String(length=256), nullable=False),
        sa.Column("language", sa.String(length=256), nullable=False),
        sa.Column("rule", sa.String(length=128), nullable=False),
        sa.Column("rule_version", sa.Integer(), nullable=False),
        sa.Column("severity", sa.String(length=16), nullable=False),
        sa.Column("metric", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("pending_ns", sa.BigInteger(), nullable=False),
        sa.Column("fired_ns", sa.BigInteger(), nullable=False),
        sa.Column("resolved_ns", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.String(length=32), nullable=True),
        sa.Column("peak", sa.Double(), nullable=True),
        sa.Column("evidence", _json, nullable=False),
        sa.Column("acknowledged_ns", sa.BigInteger(), nullable=True),
        sa.Column("acknowledged_by", sa.String(length=256), nullable=True),
        sa.Column("snoozed_until_ns", sa.BigInteger(), nullable=True),
        sa.Column("snoozed_by", sa.String(length=256), nullable=True),
        sa.Column("verdict", sa.String(length=16), nullable=True),
        sa.Column("verdict_ns", sa.BigInteger(), nullable=True),
        sa.Column("verdict_by", sa.String(length=256), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "run", "alert", name=op.f("pk_alerts")),
    )
    op.create_index(
        op.f("ix_alerts_tenant_conversation"), "alerts", ["tenant", "conversation"], unique=False
    )
    op.create_index(
        op.f("ix_alerts_tenant_run_fired_ns"), "alerts", ["tenant", "run", "fired_ns"], unique=False
    )
    op.create_table(
        "api_keys",
        sa.Column("key_id", sa.String(length=36), nullable=False),
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("rank", sa.String(length=16), nullable=False),
        sa.Column("scopes", _json, nullable=False),
        sa.Column("created_ns", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(length=256), nullable=False),
        sa.Column("expires_ns", sa.BigInteger(), nullable=True),
        sa.Column("revoked_ns", sa.BigInteger(), nullable=True),
        sa.Column("used_ns", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_api_keys")),
    )
    op.create_index(op.f("ix_api_keys_digest"), "api_keys", ["digest"], unique=True)
    op.create_index(
        op.f("ix_api_keys_tenant_created_ns"), "api_keys", ["tenant", "created_ns"], unique=False
    )
    op.create_table(
        "audit_log",
        sa.Column("entry", _counter, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=256), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("conversation", sa.String(length=128), nullable=True),
        sa.Column("details", _json, nullable=False),
        sa.PrimaryKeyConstraint("entry", name=op.f("pk_audit_log")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_audit_log_tenant_conversation"),
        "audit_log",
        ["tenant", "conversation"],
        unique=False,
    )
    op.create_index(
        op.f("ix_audit_log_tenant_entry"), "audit_log", ["tenant", "entry"], unique=False
    )
    op.create_table(
        "consents",
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("conversation", sa.String(length=128), nullable=False),
        sa.Column("participant", sa.String(length=128), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("consent", sa.String(length=16), nullable=True),
        sa.Column("notice", sa.String(length=16), nullable=True),
        sa.Column("deleted_windows", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant", "conversation", "participant", "at_ns", name=op.f("pk_consents")
        ),
    )
    op.create_index(op.f("ix_consents_tenant_at_ns"), "consents", ["tenant", "at_ns"], unique=False)
    op.create_table(
        "erasures",
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("erasure", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=256), nullable=False),
        sa.Column("receipt", _json, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "erasure", name=op.f("pk_erasures")),
    )
    op.create_index(op.f("ix_erasures_tenant_at_ns"), "erasures", ["tenant", "at_ns"], unique=False)
    op.create_table(
        "policy_decisions",
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("conversation", sa.String(length=128), nullable=False),
        sa.Column("participant", sa.String(length=128), nullable=False),
        sa.Column("modality", sa.String(length=16), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("allowed", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("profile", sa.String(length=64), nullable=False),
        sa.Column("facts", _json, nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant",
            "conversation",
            "participant",
            "modality",
            "at_ns",
            name=op.f("pk_policy_decisions"),
        ),
    )
    op.create_index(
        op.f("ix_policy_decisions_tenant_at_ns"),
        "policy_decisions",
        ["tenant", "at_ns"],
        unique=False,
    )
    op.create_table(
        "rules",
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("valid_from_ns", sa.BigInteger(), nullable=False),
        sa.Column("body", _json, nullable=True),
        sa.Column("author", sa.String(length=256), nullable=False),
        sa.Column("stored_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "name", "version", name=op.f("pk_rules")),
    )
    op.create_table(
        "tombstones",
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("erased_ns", sa.BigInteger(), nullable=False),
        sa.Column("until_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "digest", name=op.f("pk_tombstones")),
    )
    op.add_column("participants", sa.Column("subject", sa.String(length=64), nullable=True))
    op.create_index(
        op.f("ix_participants_tenant_subject"), "participants", ["tenant", "subject"], unique=False
    )
    op.add_column(
        "progress", sa.Column("alerts", sa.LargeBinary(), server_default="", nullable=False)
    )
    op.create_index(
        op.f("ix_rollups_tenant_run_minute_ns"),
        "rollups",
        ["tenant", "run", "minute_ns"],
        unique=False,
    )
    op.create_table(
        "utterances",
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("conversation", sa.String(length=128), nullable=False),
        sa.Column("participant", sa.String(length=128), nullable=False),
        sa.Column("segment", sa.String(length=128), nullable=False),
        sa.Column("start_ns", sa.BigInteger(), nullable=False),
        sa.Column("end_ns", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("language", sa.String(length=64), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint(
            "tenant", "conversation", "participant", "segment", name=op.f("pk_utterances")
        ),
    )
    _set_sink_length(160)


def downgrade() -> None:
    _set_sink_length(16)
    op.drop_table("utterances")
    op.drop_index(op.f("ix_rollups_tenant_run_minute_ns"), table_name="rollups")
    op.drop_column("progress", "alerts")
    op.drop_index(op.f("ix_participants_tenant_subject"), table_name="participants")
    op.drop_column("participants", "subject")
    op.drop_table("tombstones")
    op.drop_table("rules")
    op.drop_index(op.f("ix_policy_decisions_tenant_at_ns"), table_name="policy_decisions")
    op.drop_table("policy_decisions")
    op.drop_index(op.f("ix_erasures_tenant_at_ns"), table_name="erasures")
    op.drop_table("erasures")
    op.drop_index(op.f("ix_consents_tenant_at_ns"), table_name="consents")
    op.drop_table("consents")
    op.drop_index(op.f("ix_audit_log_tenant_entry"), table_name="audit_log")
    op.drop_index(op.f("ix_audit_log_tenant_conversation"), table_name="audit_log")
    op.drop_table("audit_log")
    op.drop_index(op.f("ix_api_keys_tenant_created_ns"), table_name="api_keys")
    op.drop_index(op.f("ix_api_keys_digest"), table_name="api_keys")
    op.drop_table("api_keys")
    op.drop_index(op.f("ix_alerts_tenant_run_fired_ns"), table_name="alerts")
    op.drop_index(op.f("ix_alerts_tenant_conversation"), table_name="alerts")
    op.drop_table("alerts")
    op.drop_index(op.f("ix_alert_events_tenant_run_alert"), table_name="alert_events")
    op.drop_table("alert_events")


def _set_sink_length(length: int) -> None:
    """Names of webhooks are longer than those of our own sinks."""
    with op.batch_alter_table("deliveries") as deliveries:
        deliveries.alter_column("sink", type_=sa.String(length=length), existing_nullable=False)
