"""Events, the runs that follow from them, and tickets to come in with.

Revision ID: console_0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "console_0001"
down_revision = None
branch_labels = None
depends_on = None

NOW = sa.func.now()


def upgrade() -> None:
    op.create_table(
        "event",
        sa.Column("seq", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("id", sa.String(), unique=True, nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("model", sa.String()),
        sa.Column("version", sa.Integer()),
        sa.Column("run_id", sa.Uuid()),
        sa.Column("trace_id", sa.String()),
        sa.Column("data", sa.JSON(), nullable=False),
    )
    op.create_index("event_type", "event", ["type", "seq"])
    op.create_index("event_model", "event", ["model", "seq"])
    op.create_index("event_version", "event", ["model", "version"], postgresql_where=sa.text("version IS NOT NULL"))
    op.create_index("event_run", "event", ["run_id"], postgresql_where=sa.text("run_id IS NOT NULL"))
    op.create_index("event_time", "event", ["time"])
    op.create_table(
        "run",
        sa.Column("run_id", sa.Uuid(), primary_key=True),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("outcome", sa.String()),
        sa.Column("cause", sa.String()),
        sa.Column("reason", sa.String()),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("trace_id", sa.String()),
        sa.Column("version", sa.Integer()),
        sa.Column("progress", JSONB()),
        sa.Column("into", sa.Uuid()),
    )
    op.create_index("run_requested", "run", ["requested_at", "run_id"])
    op.create_index("run_model", "run", ["model", "requested_at"])
    op.create_index("run_version", "run", ["model", "version"], postgresql_where=sa.text("version IS NOT NULL"))
    op.create_table(
        "ticket",
        sa.Column("hash", sa.String(), primary_key=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    for table in ("ticket", "run", "event"):
        op.drop_table(table)
