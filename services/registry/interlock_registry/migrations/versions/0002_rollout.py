"""Gateway workers, and which of them serves what.

Revision ID: registry_0002
Revises: registry_0001
"""

import sqlalchemy as sa
from alembic import op

revision = "registry_0002"
down_revision = "registry_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "worker",
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
    )
    op.create_table(
        "worker_model",
        sa.Column("worker", sa.String(), sa.ForeignKey("worker.name", ondelete="CASCADE"), primary_key=True),
        sa.Column("model", sa.String(), primary_key=True),
        sa.Column("known_seq", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer()),
        sa.Column("promotion_seq", sa.Integer()),
        sa.Column("since", sa.DateTime(timezone=True)),
        sa.Column("failed_seq", sa.Integer()),
        sa.Column("failure", sa.String()),
    )
    op.create_index("worker_model_model", "worker_model", ["model"])


def downgrade() -> None:
    op.drop_table("worker_model")
    op.drop_table("worker")
