"""A pipeline keeps the form in which its rows are hashed: what there is already, the first.

Revision ID: ingest_0007
Revises: ingest_0006
"""

import sqlalchemy as sa
from alembic import op

revision = "ingest_0007"
down_revision = "ingest_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("spec", sa.Column("hash_form", sa.Integer(), server_default=sa.text("1"), nullable=False))


def downgrade() -> None:
    op.drop_column("spec", "hash_form")
