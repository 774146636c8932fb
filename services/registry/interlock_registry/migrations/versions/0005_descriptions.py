"""Models and versions are described: in words, by an owner, by tags.

Revision ID: registry_0005
Revises: registry_0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "registry_0005"
down_revision = "registry_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("model", "version"):
        op.add_column(table, sa.Column("description", sa.String()))
        op.add_column(table, sa.Column("tags", JSONB(), server_default=sa.text("'{}'"), nullable=False))
    op.add_column("model", sa.Column("owner", sa.String()))


def downgrade() -> None:
    op.drop_column("model", "owner")
    for table in ("version", "model"):
        op.drop_column(table, "tags")
        op.drop_column(table, "description")
