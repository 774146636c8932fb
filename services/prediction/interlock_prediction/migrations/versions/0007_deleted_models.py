"""Which models were deleted: their files are cancelled, and their results expire.

Revision ID: prediction_0007
Revises: prediction_0006
"""

import sqlalchemy as sa
from alembic import op

revision = "prediction_0007"
down_revision = "prediction_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "deleted_model",
        sa.Column("model", sa.String(), primary_key=True),
        sa.Column("heard_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("deleted_model")
