"""Which models are archived, and train no more.

Revision ID: train_dispatch_0004
Revises: train_dispatch_0003
"""

import sqlalchemy as sa
from alembic import op

revision = "train_dispatch_0004"
down_revision = "train_dispatch_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "archive",
        sa.Column("model", sa.String(), primary_key=True),
        sa.Column("archived", sa.Boolean(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("archive")
