"""A run tells who asked for it, and why.

Revision ID: train_dispatch_0003
Revises: train_dispatch_0002
"""

import sqlalchemy as sa
from alembic import op

revision = "train_dispatch_0003"
down_revision = "train_dispatch_0002"
branch_labels = None
depends_on = None

COLUMNS = ("requested_by", "request_reason")


def upgrade() -> None:
    for name in COLUMNS:
        op.add_column("run", sa.Column(name, sa.String()))


def downgrade() -> None:
    for name in COLUMNS:
        op.drop_column("run", name)
