"""A version keeps the metrics of the champion that it was measured against, on the same rows as its own.

Revision ID: registry_0007
Revises: registry_0006
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "registry_0007"
down_revision = "registry_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column = sa.Column("champion_metrics", JSONB(), server_default=sa.text("'{}'"), nullable=False)
    op.add_column("version", column)


def downgrade() -> None:
    op.drop_column("version", "champion_metrics")
