"""Which pipelines were deleted with their models: their files are deleted, and no other is taken in.

Revision ID: ingest_0006
Revises: ingest_0005
"""

import sqlalchemy as sa
from alembic import op

revision = "ingest_0006"
down_revision = "ingest_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "deleted_pipeline",
        sa.Column("pipeline", sa.String(), primary_key=True),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("deleted_pipeline")
