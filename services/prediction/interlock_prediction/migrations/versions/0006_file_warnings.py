"""What was unusual about a file that was answered nevertheless.

Revision ID: prediction_0006
Revises: prediction_0005
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "prediction_0006"
down_revision = "prediction_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("batch", sa.Column("warnings", JSONB(), server_default=sa.text("'[]'"), nullable=False))


def downgrade() -> None:
    op.drop_column("batch", "warnings")
