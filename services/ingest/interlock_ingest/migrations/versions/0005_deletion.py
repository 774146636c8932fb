"""A file may be deleted: its row stays, with its number, and nothing that the file said.

Revision ID: ingest_0005
Revises: ingest_0004
"""

import sqlalchemy as sa
from alembic import op

revision = "ingest_0005"
down_revision = "ingest_0004"
branch_labels = None
depends_on = None

STATES = "'checking', 'accepted', 'rejected'"
CHECKS = {
    "accepted_has_a_batch": "(state = 'accepted') = (batch IS NOT NULL)",
    "accepted_has_parts": "(state = 'accepted') = (dataset IS NOT NULL)",
}


def upgrade() -> None:
    op.add_column("dataset", sa.Column("deleted_at", sa.DateTime(timezone=True)))
    op.add_column("dataset", sa.Column("deleted_by", sa.String()))
    for name in ("dataset_state", *CHECKS):
        op.drop_constraint(name, "dataset")
    op.create_check_constraint("dataset_state", "dataset", f"state IN ({STATES}, 'deleted')")
    # One that is deleted keeps the number and the parts that it had.
    for name, rule in CHECKS.items():
        op.create_check_constraint(name, "dataset", f"state = 'deleted' OR {rule}")
    op.create_check_constraint("deleted_has_a_time", "dataset", "(state = 'deleted') = (deleted_at IS NOT NULL)")
    op.create_table(
        "unwanted",
        sa.Column("key", sa.String(), primary_key=True),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
    )


def downgrade() -> None:
    op.execute("DELETE FROM dataset WHERE state = 'deleted'")
    op.drop_table("unwanted")
    for name in ("deleted_has_a_time", "dataset_state", *CHECKS):
        op.drop_constraint(name, "dataset")
    op.create_check_constraint("dataset_state", "dataset", f"state IN ({STATES})")
    for name, rule in CHECKS.items():
        op.create_check_constraint(name, "dataset", rule)
    for column in ("deleted_by", "deleted_at"):
        op.drop_column("dataset", column)
