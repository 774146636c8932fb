"""Evaluation files: kept beside those that are trained on, and which of them a run is judged on.

Revision ID: train_dispatch_0005
Revises: train_dispatch_0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "train_dispatch_0005"
down_revision = "train_dispatch_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("dataset", sa.Column("role", sa.String(), server_default=sa.text("'training'"), nullable=False))
    op.add_column("run", sa.Column("evaluation", JSONB()))


def downgrade() -> None:
    op.drop_column("run", "evaluation")
    op.execute("DELETE FROM dataset WHERE role = 'evaluation'")
    op.drop_column("dataset", "role")
