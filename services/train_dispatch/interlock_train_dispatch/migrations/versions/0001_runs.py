"""Specs, datasets, runs.

Revision ID: train_dispatch_0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "train_dispatch_0001"
down_revision = None
branch_labels = None
depends_on = None

STATES = "'queued', 'running', 'succeeded', 'refused', 'failed', 'cancelled', 'timed_out', 'coalesced'"


def upgrade() -> None:
    op.create_table(
        "spec",
        sa.Column("pipeline", sa.String(), primary_key=True),
        sa.Column("digest", sa.String(), primary_key=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("data_digest", sa.String(), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
    )
    op.create_table(
        "dataset",
        sa.Column("pipeline", sa.String(), primary_key=True),
        sa.Column("digest", sa.String(), primary_key=True),
        sa.Column("data_digest", sa.String(), primary_key=True),
        sa.Column("batch", sa.Integer(), nullable=False),
        sa.Column("ref", JSONB(), nullable=False),
    )
    op.create_table(
        "run",
        sa.Column("run_id", sa.Uuid(), primary_key=True),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("pipeline_digest", sa.String(), nullable=False),
        sa.Column("dataset", sa.String()),
        sa.Column("commit", sa.String()),
        sa.Column("traceparent", sa.String()),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("datasets", JSONB(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("job", JSONB()),
        sa.Column("submitted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("cancelled", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("gone_since", sa.DateTime(timezone=True)),
        sa.Column("progress", JSONB()),
        sa.Column("reason", sa.String()),
        sa.Column("into", sa.Uuid()),
        sa.Column("version", sa.Integer()),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("trained_at", sa.DateTime(timezone=True)),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("deadline", sa.DateTime(timezone=True)),
        sa.CheckConstraint(f"state IN ({STATES})", "run_state"),
        sa.CheckConstraint("(state = 'running') <= (deadline IS NOT NULL)", "running_has_a_deadline"),
    )
    for state in ("queued", "running"):
        op.create_index(f"one_{state}", "run", ["model"], unique=True, postgresql_where=sa.text(f"state = '{state}'"))
    op.create_index("run_created_at", "run", ["created_at"])


def downgrade() -> None:
    for table in ("run", "dataset", "spec"):
        op.drop_table(table)
