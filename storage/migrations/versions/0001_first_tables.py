"""The tables of the first version."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_partitioned = ("window_scores", "window_evidence")


def upgrade() -> None:
    op.create_table(
        "conversations",
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("conversation", sa.String(length=128), nullable=False),
        sa.Column("queue", sa.String(length=256), nullable=False),
        sa.Column("language", sa.String(length=256), nullable=False),
        sa.Column("region", sa.String(length=256), nullable=False),
        sa.Column("purpose", sa.String(length=256), nullable=False),
        sa.Column("channel", sa.String(length=256), nullable=False),
        sa.Column("started_ns", sa.BigInteger(), nullable=False),
        sa.Column("ended_ns", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "conversation", name=op.f("pk_conversations")),
    )
    op.create_index(
        op.f("ix_conversations_tenant_started_ns"),
        "conversations",
        ["tenant", "started_ns"],
        unique=False,
    )
    op.create_table(
        "feed",
        sa.Column(
            "feed_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("conversation", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("stored_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("feed_id", name=op.f("pk_feed")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_feed_stored_ns"), "feed", ["stored_ns"], unique=False)
    op.create_index(op.f("ix_feed_tenant_feed_id"), "feed", ["tenant", "feed_id"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("conversation", sa.String(length=128), nullable=False),
        sa.Column("participant", sa.String(length=128), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    op.create_table(
        "participants",
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("conversation", sa.String(length=128), nullable=False),
        sa.Column("participant", sa.String(length=128), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("joined_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant", "conversation", "participant", name=op.f("pk_participants")
        ),
    )
    op.create_table(
        "progress",
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("run", sa.String(length=128), nullable=False),
        sa.Column("conversation", sa.String(length=128), nullable=False),
        sa.Column("participant", sa.String(length=128), nullable=False),
        sa.Column("closed_until_ns", sa.BigInteger(), nullable=False),
        sa.Column("flushed_until_ns", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.Column("state_version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant", "run", "conversation", "participant", name=op.f("pk_progress")
        ),
    )
    op.create_table(
        "rollups",
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("run", sa.String(length=128), nullable=False),
        sa.Column("conversation", sa.String(length=128), nullable=False),
        sa.Column("participant", sa.String(length=128), nullable=False),
        sa.Column("minute_ns", sa.BigInteger(), nullable=False),
        sa.Column("queue", sa.String(length=256), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("language", sa.String(length=256), nullable=False),
        sa.Column("windows", sa.BigInteger(), nullable=False),
        sa.Column("scored", sa.BigInteger(), nullable=False),
        sa.Column("abstained", sa.BigInteger(), nullable=False),
        sa.Column("partial", sa.BigInteger(), nullable=False),
        sa.Column("distress_sum", sa.BigInteger(), nullable=False),
        sa.Column("arousal_sum", sa.BigInteger(), nullable=False),
        sa.Column("valence_sum", sa.BigInteger(), nullable=False),
        sa.Column("conflict_sum", sa.BigInteger(), nullable=False),
        sa.Column("speech_present", sa.BigInteger(), nullable=False),
        sa.Column("text_present", sa.BigInteger(), nullable=False),
        sa.Column("face_present", sa.BigInteger(), nullable=False),
        sa.Column("anger_sum", sa.BigInteger(), nullable=False),
        sa.Column("disgust_sum", sa.BigInteger(), nullable=False),
        sa.Column("fear_sum", sa.BigInteger(), nullable=False),
        sa.Column("joy_sum", sa.BigInteger(), nullable=False),
        sa.Column("neutral_sum", sa.BigInteger(), nullable=False),
        sa.Column("sadness_sum", sa.BigInteger(), nullable=False),
        sa.Column("surprise_sum", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant", "run", "conversation", "participant", "minute_ns", name=op.f("pk_rollups")
        ),
    )
    op.create_table(
        "window_evidence",
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("run", sa.String(length=128), nullable=False),
        sa.Column("conversation", sa.String(length=128), nullable=False),
        sa.Column("participant", sa.String(length=128), nullable=False),
        sa.Column("start_ns", sa.BigInteger(), nullable=False),
        sa.Column("modality", sa.String(length=16), nullable=False),
        sa.Column("present", sa.Boolean(), nullable=False),
        sa.Column("weight", sa.Double(), nullable=True),
        sa.Column("reason", sa.String(length=16), nullable=True),
        sa.Column("quality", _json, nullable=True),
        sa.Column("cues", _json, nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant",
            "run",
            "conversation",
            "participant",
            "start_ns",
            "modality",
            name=op.f("pk_window_evidence"),
        ),
        postgresql_partition_by="RANGE (start_ns)",
    )
    op.create_table(
        "window_scores",
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("run", sa.String(length=128), nullable=False),
        sa.Column("conversation", sa.String(length=128), nullable=False),
        sa.Column("participant", sa.String(length=128), nullable=False),
        sa.Column("start_ns", sa.BigInteger(), nullable=False),
        sa.Column("end_ns", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("emotions", _json, nullable=True),
        sa.Column("distress", sa.Double(), nullable=True),
        sa.Column("distress_smoothed", sa.Double(), nullable=True),
        sa.Column("arousal", sa.Double(), nullable=True),
        sa.Column("valence", sa.Double(), nullable=True),
        sa.Column("label", sa.String(length=16), nullable=True),
        sa.Column("label_set", _json, nullable=False),
        sa.Column("coverage", sa.Double(), nullable=False),
        sa.Column("abstained", sa.Boolean(), nullable=False),
        sa.Column("conflict", sa.Double(), nullable=False),
        sa.Column("vacuity", sa.Double(), nullable=False),
        sa.Column("partial", sa.Boolean(), nullable=False),
        sa.Column("shed", _json, nullable=False),
        sa.Column("versions", _json, nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant",
            "run",
            "conversation",
            "participant",
            "start_ns",
            name=op.f("pk_window_scores"),
        ),
        postgresql_partition_by="RANGE (start_ns)",
    )
    op.create_table(
        "deliveries",
        sa.Column("outbox_id", sa.String(length=36), nullable=False),
        sa.Column("sink", sa.String(length=16), nullable=False),
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("conversation", sa.String(length=128), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_ns", sa.BigInteger(), nullable=False),
        sa.Column("dead", sa.Boolean(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["outbox_id"], ["outbox.id"], name=op.f("fk_deliveries_outbox"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("outbox_id", "sink", name=op.f("pk_deliveries")),
    )
    op.create_index(
        op.f("ix_deliveries_sink_dead_at_ns"), "deliveries", ["sink", "dead", "at_ns"], unique=False
    )
    if op.get_bind().dialect.name == "postgresql":
        for table in _partitioned:
            op.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT")


def downgrade() -> None:
    op.drop_index(op.f("ix_deliveries_sink_dead_at_ns"), table_name="deliveries")
    op.drop_table("deliveries")
    op.drop_table("window_scores")
    op.drop_table("window_evidence")
    op.drop_table("rollups")
    op.drop_table("progress")
    op.drop_table("participants")
    op.drop_table("outbox")
    op.drop_index(op.f("ix_feed_tenant_feed_id"), table_name="feed")
    op.drop_index(op.f("ix_feed_stored_ns"), table_name="feed")
    op.drop_table("feed")
    op.drop_index(op.f("ix_conversations_tenant_started_ns"), table_name="conversations")
    op.drop_table("conversations")
