"""Predictions.

Revision ID: prediction_0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "prediction_0001"
down_revision = None
branch_labels = None
depends_on = None

STATES = "'queued', 'running', 'completed', 'failed', 'cancelled', 'expired'"


def upgrade() -> None:
    op.create_table(
        "prediction",
        sa.Column("prediction_id", sa.Uuid(), primary_key=True),
        sa.Column("model", sa.String()),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("request_sha256", sa.String()),
        sa.Column("traceparent", sa.String()),
        sa.Column("version", sa.Integer()),
        sa.Column("rows", sa.BigInteger()),
        sa.Column("answer", sa.LargeBinary()),
        sa.Column("result", JSONB()),
        sa.Column("result_format", sa.String()),
        sa.Column("reason", sa.String()),
        sa.Column("errors", JSONB()),
        sa.Column("requested_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint(f"state IN ({STATES})", "prediction_state"),
        sa.CheckConstraint(
            "state <> 'completed' OR (version IS NOT NULL AND (answer IS NOT NULL OR result IS NOT NULL))",
            "completed_has_a_result",
        ),
        sa.CheckConstraint("state = 'cancelled' OR model IS NOT NULL", "only_cancelled_ahead_knows_no_model"),
    )
    op.create_index("prediction_expires_at", "prediction", ["expires_at"])
    op.create_table(
        "webhook",
        sa.Column("prediction_id", sa.Uuid(), primary_key=True),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("state", sa.String(), server_default=sa.text("'pending'"), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("error", sa.String()),
        sa.Column("delivered_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("state IN ('pending', 'delivered', 'failed')", "webhook_state"),
    )
    op.create_index("webhook_pending", "webhook", ["not_before"], postgresql_where=sa.text("state = 'pending'"))


def downgrade() -> None:
    op.drop_table("webhook")
    op.drop_table("prediction")
