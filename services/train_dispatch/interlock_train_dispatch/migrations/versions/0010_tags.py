"""A run keeps the tags of its request, and what the gate measured.

Revision ID: train_dispatch_0010
Revises: train_dispatch_0009
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "train_dispatch_0010"
down_revision = "train_dispatch_0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run", sa.Column("tags", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False))
    op.add_column("run", sa.Column("metrics", postgresql.JSONB()))
    op.create_index("run_tags", "run", ["tags"], postgresql_using="gin")
    op.create_index("run_measured", "run", ["created_at"], postgresql_where=sa.text("metrics IS NOT NULL"))


def downgrade() -> None:
    for index in ("run_measured", "run_tags"):
        op.drop_index(index, "run")
    for name in ("metrics", "tags"):
        op.drop_column("run", name)
