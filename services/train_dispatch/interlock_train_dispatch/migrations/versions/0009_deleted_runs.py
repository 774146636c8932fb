"""Of a run whose model was deleted only the row is left; since when.

Revision ID: train_dispatch_0009
Revises: train_dispatch_0008
"""

import sqlalchemy as sa
from alembic import op

revision = "train_dispatch_0009"
down_revision = "train_dispatch_0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run", sa.Column("deleted_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("run", "deleted_at")
