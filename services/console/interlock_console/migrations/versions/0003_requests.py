"""A run tells who asked for it, why, and the gate's metrics.

Revision ID: console_0003
Revises: console_0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "console_0003"
down_revision = "console_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run", sa.Column("requested_by", sa.String()))
    op.add_column("run", sa.Column("request_reason", sa.String()))
    op.add_column("run", sa.Column("metrics", JSONB()))


def downgrade() -> None:
    for name in ("metrics", "request_reason", "requested_by"):
        op.drop_column("run", name)
