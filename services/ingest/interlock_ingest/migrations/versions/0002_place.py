"""The place of a file in the order in which a pipeline's files were received.

Revision ID: ingest_0002
Revises: ingest_0001
"""

import sqlalchemy as sa
from alembic import op

revision = "ingest_0002"
down_revision = "ingest_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("dataset", sa.Column("place", sa.Integer()))


def downgrade() -> None:
    op.drop_column("dataset", "place")
