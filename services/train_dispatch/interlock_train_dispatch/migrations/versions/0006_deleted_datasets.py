"""Which files were deleted, and are trained on no more.

Revision ID: train_dispatch_0006
Revises: train_dispatch_0005
"""

import sqlalchemy as sa
from alembic import op

revision = "train_dispatch_0006"
down_revision = "train_dispatch_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "deleted",
        sa.Column("pipeline", sa.String(), primary_key=True),
        sa.Column("digest", sa.String(), primary_key=True),
        sa.Column("batch", sa.Integer(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("deleted")
