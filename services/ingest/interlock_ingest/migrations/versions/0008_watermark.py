"""Watermarks of pipelines that are split by time (those of before have none), and files that are read again.

Revision ID: ingest_0008
Revises: ingest_0007
"""

import sqlalchemy as sa
from alembic import op

revision = "ingest_0008"
down_revision = "ingest_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "watermark",
        sa.Column("pipeline", sa.String(), primary_key=True),
        sa.Column("moment", sa.DateTime(timezone=True), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
    )
    op.add_column("dataset", sa.Column("read_again", sa.String()))
    op.create_index(
        "dataset_unannounced", "dataset", ["pipeline"], postgresql_where=sa.text("read_again = 'unannounced'")
    )


def downgrade() -> None:
    op.drop_index("dataset_unannounced")
    op.drop_column("dataset", "read_again")
    op.drop_table("watermark")
