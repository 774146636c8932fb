"""The content encoding of a dead letter, to be sent again with it.

Revision ID: dead_letters_0002
Revises: dead_letters_0001
"""

import sqlalchemy as sa
from alembic import op

revision = "dead_letters_0002"
down_revision = "dead_letters_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("dead_letter", sa.Column("content_encoding", sa.String()))


def downgrade() -> None:
    op.drop_column("dead_letter", "content_encoding")
