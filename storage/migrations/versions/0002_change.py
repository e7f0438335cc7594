"""How far a voice is from its owner's usual one, beside each score."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("window_scores", sa.Column("change", sa.Double(), nullable=True))


def downgrade() -> None:
    op.drop_column("window_scores", "change")
