"""A model may be archived; ``archive_seq`` counts how often it was, and was brought back.

Revision ID: registry_0006
Revises: registry_0005
"""

import sqlalchemy as sa
from alembic import op

revision = "registry_0006"
down_revision = "registry_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("model", sa.Column("archived_at", sa.DateTime(timezone=True)))
    op.add_column("model", sa.Column("archive_seq", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    op.drop_column("model", "archive_seq")
    op.drop_column("model", "archived_at")
