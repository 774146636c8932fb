"""The evaluation file that a version was judged on, where there was one.

Revision ID: registry_0009
Revises: registry_0008
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "registry_0009"
down_revision = "registry_0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("version", sa.Column("evaluation", JSONB()))


def downgrade() -> None:
    op.drop_column("version", "evaluation")
