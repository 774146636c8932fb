"""A version may be deleted: its row stays, for promotions name it, and never serves again.

Revision ID: registry_0008
Revises: registry_0007
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "registry_0008"
down_revision = "registry_0007"
branch_labels = None
depends_on = None

# What does not serve and waits for nobody may be deleted; what is deleted stays so, and as it was.
DELETION = """
CREATE FUNCTION version_stays_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.deleted_at IS NOT NULL AND NEW.stage NOT IN ('refused', 'retired'))
        OR (OLD.deleted_at IS NOT NULL
            AND (NEW.stage, NEW.deleted_at, NEW.deleted_by) IS DISTINCT FROM (OLD.stage, OLD.deleted_at, OLD.deleted_by))
    THEN
        RAISE EXCEPTION 'version % of % is deleted, or cannot be', OLD.version, OLD.model
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""


def upgrade() -> None:
    op.add_column("version", sa.Column("deleted_at", sa.DateTime(timezone=True)))
    op.add_column("version", sa.Column("deleted_by", sa.String()))
    op.add_column("version", sa.Column("objects_deleted_at", sa.DateTime(timezone=True)))
    op.add_column("version", sa.Column("engine", JSONB()))
    op.add_column(
        "version", sa.Column("earlier_reports", JSONB(), server_default=sa.text("'[]'"), nullable=False)
    )
    op.create_index(
        "version_to_collect",
        "version",
        ["deleted_at"],
        postgresql_where=sa.text("deleted_at IS NOT NULL AND objects_deleted_at IS NULL"),
    )
    op.execute(DELETION)
    op.execute(
        "CREATE TRIGGER version_stays_deleted BEFORE UPDATE ON version"
        " FOR EACH ROW EXECUTE FUNCTION version_stays_deleted()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER version_stays_deleted ON version")
    op.execute("DROP FUNCTION version_stays_deleted()")
    op.drop_index("version_to_collect", "version")
    for column in ("earlier_reports", "engine", "objects_deleted_at", "deleted_by", "deleted_at"):
        op.drop_column("version", column)
