"""Specs, datasets, submissions.

Revision ID: ingest_0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "ingest_0001"
down_revision = None
branch_labels = None
depends_on = None

NOW = sa.func.now()
EMPTY = sa.text("'[]'")


def upgrade() -> None:
    op.create_table(
        "spec",
        sa.Column("pipeline", sa.String(), primary_key=True),
        sa.Column("digest", sa.String(), primary_key=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
    )
    op.create_table(
        "batches",
        sa.Column("pipeline", sa.String(), primary_key=True),
        sa.Column("count", sa.Integer(), server_default=sa.text("0"), nullable=False),
    )
    op.create_table(
        "dataset",
        sa.Column("pipeline", sa.String(), primary_key=True),
        sa.Column("digest", sa.String(), primary_key=True),
        sa.Column("pipeline_digest", sa.String(), primary_key=True),
        sa.Column("state", sa.String(), server_default=sa.text("'checking'"), nullable=False),
        sa.Column("file", JSONB(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("object", sa.String()),
        sa.Column("traceparent", sa.String()),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True)),
        sa.Column("batch", sa.Integer()),
        sa.Column("dataset", JSONB()),
        sa.Column("profile", JSONB()),
        sa.Column("reasons", JSONB(), server_default=EMPTY, nullable=False),
        sa.Column("warnings", JSONB(), server_default=EMPTY, nullable=False),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.CheckConstraint("state IN ('checking', 'accepted', 'rejected')", "dataset_state"),
        sa.CheckConstraint("(state = 'accepted') = (batch IS NOT NULL)", "accepted_has_a_batch"),
        sa.CheckConstraint("(state = 'accepted') = (dataset IS NOT NULL)", "accepted_has_parts"),
    )
    op.create_index(
        "dataset_unchecked", "dataset", ["received_at"], postgresql_where=sa.text("state = 'checking'")
    )
    op.create_index("dataset_of_pipeline", "dataset", ["pipeline", "received_at"])
    op.create_table(
        "submission",
        sa.Column("cause", sa.String(), primary_key=True),
        sa.Column("pipeline", sa.String(), nullable=False),
        sa.Column("object", sa.String(), nullable=False),
        sa.Column("traceparent", sa.String()),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
    )


def downgrade() -> None:
    for table in ("submission", "dataset", "batches", "spec"):
        op.drop_table(table)
