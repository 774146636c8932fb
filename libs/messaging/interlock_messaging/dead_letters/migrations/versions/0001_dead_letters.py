"""Dead letters.

Revision ID: dead_letters_0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

revision = "dead_letters_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "dead_letter",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("queue", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("died_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event_id", sa.String()),
        sa.Column("event_type", sa.String()),
        sa.Column("subject", sa.String()),
        sa.Column("trace_id", sa.String()),
        sa.Column("speaker", sa.String()),
        sa.Column("message_id", sa.String()),
        sa.Column("content_type", sa.String()),
        sa.Column("headers", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
    )
    op.create_index("dead_letter_queue", "dead_letter", ["queue", "died_at"])
    op.create_index("dead_letter_died_at", "dead_letter", ["died_at"])


def downgrade() -> None:
    op.drop_table("dead_letter")
