"""Whether a file is trained on or judged on.

Revision ID: ingest_0004
Revises: ingest_0003
"""

import sqlalchemy as sa
from alembic import op

revision = "ingest_0004"
down_revision = "ingest_0003"
branch_labels = None
depends_on = None

TABLES = ("dataset", "submission")


def upgrade() -> None:
    for table in TABLES:
        op.add_column(table, sa.Column("role", sa.String(), server_default=sa.text("'training'"), nullable=False))


def downgrade() -> None:
    for table in TABLES:
        op.drop_column(table, "role")
