"""The prediction log and ground truth.

Revision ID: monitor_0001
Revises:
"""
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "monitor_0001"
down_revision = None
branch_labels = None
depends_on = None

AT = sa.DateTime(timezone=True)
# Names are compared, never sorted for people, and the database's own collation would make that slow.
NAME = sa.String(collation="C")


def upgrade() -> None:
    op.create_table(
        "logged_version",
        sa.Column("model", NAME, primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True),
        sa.Column("features", sa.JSON(), nullable=False),
        sa.Column("labels", sa.JSON()),
    )
    op.create_table(
        "logged_count",
        sa.Column("model", NAME, primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True),
        sa.Column("minute", AT, primary_key=True),
        sa.Column("answered", sa.BigInteger(), nullable=False),
        sa.Column("dropped", sa.BigInteger(), nullable=False),
        sa.Column("logged", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "logged",
        sa.Column("model", NAME, primary_key=True),
        sa.Column("prediction", NAME, primary_key=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("promotion_seq", sa.Integer(), nullable=False),
        sa.Column("at", AT, nullable=False),
        sa.Column("features", sa.JSON(), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.Column("probabilities", ARRAY(sa.Float())),
    )
    # A window of one model: for quality, later for drift, and to forget what is old.
    op.create_index("logged_at", "logged", ["model", "at"])
    op.create_table(
        "truth",
        sa.Column("model", NAME, primary_key=True),
        sa.Column("prediction", NAME, primary_key=True),
        sa.Column("actual", JSONB(), nullable=False),
        sa.Column("at", AT, nullable=False),
        sa.Column("corrections", sa.Integer(), server_default=sa.text("0"), nullable=False),
    )
    op.create_index("truth_at", "truth", ["at"])


def downgrade() -> None:
    for table in ("truth", "logged", "logged_count", "logged_version"):
        op.drop_table(table)
