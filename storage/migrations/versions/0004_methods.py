"""Context and expectations of scores, moments to search for, labels of one's own, narratives."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_vector = sa.LargeBinary().with_variant(postgresql.ARRAY(sa.REAL()), "postgresql")


def upgrade() -> None:
    op.create_table(
        "moments",
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("conversation", sa.String(length=128), nullable=False),
        sa.Column("participant", sa.String(length=128), nullable=False),
        sa.Column("start_ns", sa.BigInteger(), nullable=False),
        sa.Column("end_ns", sa.BigInteger(), nullable=False),
        sa.Column("vector", _vector, nullable=False),
        sa.Column("imputed", sa.Boolean(), nullable=False),
        sa.Column("space", sa.String(length=128), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("label", sa.String(length=16)),
        sa.Column("distress", sa.Double()),
        sa.PrimaryKeyConstraint(
            "tenant", "conversation", "participant", "start_ns", name=op.f("pk_moments")
        ),
    )
    op.create_index(
        op.f("ix_moments_tenant_start_ns"), "moments", ["tenant", "start_ns"], unique=False
    )
    op.create_table(
        "own_labels",
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("label", sa.String(length=128), nullable=False),
        sa.Column("prompts", _json, nullable=False),
        sa.Column("created_ns", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(length=256), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "label", name=op.f("pk_own_labels")),
    )
    op.create_table(
        "label_judgements",
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("label", sa.String(length=128), nullable=False),
        sa.Column("conversation", sa.String(length=128), nullable=False),
        sa.Column("participant", sa.String(length=128), nullable=False),
        sa.Column("start_ns", sa.BigInteger(), nullable=False),
        sa.Column("holds", sa.Boolean(), nullable=False),
        sa.Column("judged_ns", sa.BigInteger(), nullable=False),
        sa.Column("judged_by", sa.String(length=256), nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant",
            "label",
            "conversation",
            "participant",
            "start_ns",
            name=op.f("pk_label_judgements"),
        ),
    )
    op.create_index(
        op.f("ix_label_judgements_tenant_conversation"),
        "label_judgements",
        ["tenant", "conversation"],
        unique=False,
    )
    op.add_column("window_scores", sa.Column("context", _json, nullable=True))
    op.add_column("window_scores", sa.Column("expected", _json, nullable=True))
    op.add_column("alerts", sa.Column("narrative", sa.Text(), nullable=True))
    op.add_column("alerts", sa.Column("narrator", sa.String(length=128), nullable=True))


def downgrade() -> None:
    op.drop_column("alerts", "narrator")
    op.drop_column("alerts", "narrative")
    op.drop_column("window_scores", "expected")
    op.drop_column("window_scores", "context")
    op.drop_index(op.f("ix_label_judgements_tenant_conversation"), table_name="label_judgements")
    op.drop_table("label_judgements")
    op.drop_table("own_labels")
    op.drop_index(op.f("ix_moments_tenant_start_ns"), table_name="moments")
    op.drop_table("moments")
