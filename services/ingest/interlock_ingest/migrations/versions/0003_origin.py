"""Where a file came from: its name, who uploaded it, and a note.

Revision ID: ingest_0003
Revises: ingest_0002
"""

import sqlalchemy as sa
from alembic import op

revision = "ingest_0003"
down_revision = "ingest_0002"
branch_labels = None
depends_on = None

COLUMNS = ("file_name", "note", "uploaded_by")


def upgrade() -> None:
    for name in COLUMNS:
        op.add_column("dataset", sa.Column(name, sa.String()))


def downgrade() -> None:
    for name in COLUMNS:
        op.drop_column("dataset", name)
