"""How long the result of a file is kept, where its request says so.

Revision ID: prediction_0005
Revises: prediction_0004
"""

import sqlalchemy as sa
from alembic import op

revision = "prediction_0005"
down_revision = "prediction_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("batch", sa.Column("ttl_seconds", sa.Integer()))


def downgrade() -> None:
    op.drop_column("batch", "ttl_seconds")
