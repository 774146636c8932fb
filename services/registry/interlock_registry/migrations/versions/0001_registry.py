"""Pipelines, specs, models, versions, promotions.

Revision ID: registry_0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "registry_0001"
down_revision = None
branch_labels = None
depends_on = None

NOW = sa.func.now()


def upgrade() -> None:
    op.create_table(
        "pipeline",
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
    )
    op.create_table(
        "spec",
        sa.Column("pipeline", sa.String(), primary_key=True),
        sa.Column("digest", sa.String(), primary_key=True),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("ref", JSONB(), nullable=False),
    )
    op.create_table(
        "model",
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("versions", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("champion", sa.Integer()),
        sa.Column("promotion_seq", sa.Integer(), server_default=sa.text("0"), nullable=False),
    )
    op.create_table(
        "version",
        sa.Column("model", sa.String(), sa.ForeignKey("model.name"), primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("run_id", sa.Uuid(), unique=True, nullable=False),
        sa.Column("pipeline_digest", sa.String(), nullable=False),
        sa.Column("artifact", JSONB(), nullable=False),
        sa.Column("manifest", JSONB(), nullable=False),
        sa.Column("datasets", JSONB(), nullable=False),
        sa.Column("questions", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("against", sa.Integer()),
        sa.Column("report", JSONB()),
        sa.Column("reasons", JSONB(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("registered_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.CheckConstraint("stage IN ('registered', 'passed', 'refused', 'champion', 'retired')", "version_stage"),
    )
    op.create_index("one_champion", "version", ["model"], unique=True, postgresql_where=sa.text("stage = 'champion'"))
    op.create_table(
        "promotion",
        sa.Column("model", sa.String(), sa.ForeignKey("model.name"), primary_key=True),
        sa.Column("seq", sa.Integer(), primary_key=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("by", sa.String()),
        sa.Column("traceparent", sa.String()),
        sa.Column("promoted_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
    )


def downgrade() -> None:
    for table in ("promotion", "version", "model", "spec", "pipeline"):
        op.drop_table(table)
