"""Who has deleted a model, which is archived for good then.

Revision ID: train_dispatch_0007
Revises: train_dispatch_0006
"""

import sqlalchemy as sa
from alembic import op

revision = "train_dispatch_0007"
down_revision = "train_dispatch_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("archive", sa.Column("deleted_by", sa.String()))


def downgrade() -> None:
    op.drop_column("archive", "deleted_by")
