"""Which models were deleted: what is logged of them goes.

Revision ID: monitor_0002
Revises: monitor_0001
"""

import sqlalchemy as sa
from alembic import op

revision = "monitor_0002"
down_revision = "monitor_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "deleted_model",
        sa.Column("model", sa.String(collation="C"), primary_key=True),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("deleted_model")
