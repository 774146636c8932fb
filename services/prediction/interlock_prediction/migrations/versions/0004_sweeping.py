"""Expired answers that are still in the store.

Revision ID: prediction_0004
Revises: prediction_0003
"""

import sqlalchemy as sa
from alembic import op

revision = "prediction_0004"
down_revision = "prediction_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "prediction_to_sweep",
        "prediction",
        ["expires_at"],
        postgresql_where=sa.text("state = 'expired' AND result IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("prediction_to_sweep", "prediction")
