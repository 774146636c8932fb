"""A run that imports a model keeps what was uploaded, and waits beside the one that waits to train.

Revision ID: train_dispatch_0011
Revises: train_dispatch_0010
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "train_dispatch_0011"
down_revision = "train_dispatch_0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run", sa.Column("imported", postgresql.JSONB()))
    op.drop_index("one_queued", "run")
    trains = sa.text("state = 'queued' AND imported IS NULL")
    op.create_index("one_queued", "run", ["model"], unique=True, postgresql_where=trains)


def downgrade() -> None:
    op.drop_index("one_queued", "run")
    op.create_index("one_queued", "run", ["model"], unique=True, postgresql_where=sa.text("state = 'queued'"))
    op.drop_column("run", "imported")
