"""Files that are answered part by part.

Revision ID: prediction_0003
Revises: prediction_0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "prediction_0003"
down_revision = "prediction_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "batch",
        sa.Column(
            "prediction_id",
            sa.Uuid(),
            sa.ForeignKey("prediction.prediction_id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("job", JSONB()),
        sa.Column("runner", sa.String(), nullable=False),
        sa.Column("schedule", sa.String()),
        sa.Column("unanswered", sa.BigInteger()),
        sa.Column("waiting", sa.Boolean(), nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint("runner IN ('process', 'ray')", "batch_runner"),
        sa.CheckConstraint("NOT waiting OR job IS NOT NULL", "what_waits_has_a_job"),
    )
    op.create_index("batch_waiting", "batch", ["runner", "not_before"], postgresql_where=sa.text("waiting"))
    op.create_index("prediction_of_model", "prediction", ["model", "requested_at"])


def downgrade() -> None:
    op.drop_index("prediction_of_model", "prediction")
    op.drop_table("batch")
