"""The ledger of a model's claims to be better than its champion.

Revision ID: registry_0011
Revises: registry_0010
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "registry_0011"
down_revision = "registry_0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "claim",
        sa.Column("model", sa.String(), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("period", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("request", sa.Integer(), nullable=False),
        sa.Column("against", sa.Integer(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("fresh", sa.Integer(), nullable=False),
        sa.Column("files", JSONB(), nullable=False),
        sa.Column("level", sa.Double(), nullable=False),
        sa.Column("carried", sa.Double(), nullable=False),
        sa.Column("spent", sa.Double(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("settled_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["model", "version"], ["version.model", "version.version"]),
        sa.UniqueConstraint("model", "version", "request"),
        sa.CheckConstraint("level > 0 AND level < 1 AND carried >= 0 AND carried < level", name="claim_level"),
        sa.CheckConstraint("outcome IN ('open', 'passed', 'refused', 'untested', 'promoted')", name="claim_outcome"),
    )


def downgrade() -> None:
    op.drop_table("claim")
