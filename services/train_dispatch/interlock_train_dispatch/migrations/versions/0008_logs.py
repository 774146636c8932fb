"""What each attempt's job printed, kept once it has ended.

Revision ID: train_dispatch_0008
Revises: train_dispatch_0007
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "train_dispatch_0008"
down_revision = "train_dispatch_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "log",
        sa.Column("run_id", sa.Uuid(), primary_key=True),
        sa.Column("attempt", sa.Integer(), primary_key=True),
        sa.Column("ref", postgresql.JSONB()),
        sa.Column("lost", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.create_index("log_due", "log", ["run_id"], postgresql_where=sa.text("ref IS NULL AND NOT lost"))


def downgrade() -> None:
    op.drop_table("log")
