"""A model may be deleted with all its versions: its row stays, archived for good, and nobody gets its name.

Revision ID: registry_0010
Revises: registry_0009
"""

import sqlalchemy as sa
from alembic import op

revision = "registry_0010"
down_revision = "registry_0009"
branch_labels = None
depends_on = None

# What serves and what waits goes with its model, which is archived by then and serves nothing.
VERSIONS = """
CREATE OR REPLACE FUNCTION version_stays_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.deleted_at IS NOT NULL AND NEW.stage NOT IN ('refused', 'retired'){unless})
        OR (OLD.deleted_at IS NOT NULL
            AND (NEW.stage, NEW.deleted_at, NEW.deleted_by) IS DISTINCT FROM (OLD.stage, OLD.deleted_at, OLD.deleted_by))
    THEN
        RAISE EXCEPTION 'version % of % is deleted, or cannot be', OLD.version, OLD.model
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""
WITH_MODEL = """
        AND NOT EXISTS (SELECT FROM model WHERE name = NEW.model AND deleted_at IS NOT NULL)"""

MODEL = """
CREATE FUNCTION model_stays_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.deleted_at IS NOT NULL
        AND (NEW.deleted_at, NEW.deleted_by, NEW.archived_at, NEW.archive_seq, NEW.promotion_seq)
            IS DISTINCT FROM (OLD.deleted_at, OLD.deleted_by, OLD.archived_at, OLD.archive_seq, OLD.promotion_seq)
    THEN
        RAISE EXCEPTION 'model % is deleted', OLD.name USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""


def upgrade() -> None:
    op.add_column("model", sa.Column("deleted_at", sa.DateTime(timezone=True)))
    op.add_column("model", sa.Column("deleted_by", sa.String()))
    op.add_column("model", sa.Column("deletion_reason", sa.String()))
    op.create_check_constraint("deleted_is_archived", "model", "deleted_at IS NULL OR archived_at IS NOT NULL")
    op.execute(VERSIONS.format(unless=WITH_MODEL))
    op.execute(MODEL)
    op.execute(
        "CREATE TRIGGER model_stays_deleted BEFORE UPDATE ON model"
        " FOR EACH ROW EXECUTE FUNCTION model_stays_deleted()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER model_stays_deleted ON model")
    op.execute("DROP FUNCTION model_stays_deleted()")
    op.execute(VERSIONS.format(unless=""))
    op.drop_constraint("deleted_is_archived", "model")
    for column in ("deletion_reason", "deleted_by", "deleted_at"):
        op.drop_column("model", column)
