"""A run has a span of its own, so it keeps the context of whoever asked for it beside its own.

Revision ID: train_dispatch_0002
Revises: train_dispatch_0001
"""

import sqlalchemy as sa
from alembic import op

revision = "train_dispatch_0002"
down_revision = "train_dispatch_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run", sa.Column("asked", sa.String()))


def downgrade() -> None:
    op.drop_column("run", "asked")
