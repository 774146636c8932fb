"""Promotions are signed, and the database itself holds the rules of promotion.

Revision ID: registry_0004
Revises: registry_0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "registry_0004"
down_revision = "registry_0003"
branch_labels = None
depends_on = None

# A sequence without gaps: nobody can put a promotion between two others, or far ahead of all that will come.
COUNTS_UP = """
CREATE FUNCTION promotion_counts_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM promotion WHERE model = NEW.model) THEN
        RAISE EXCEPTION 'promotion % of % does not follow the last one', NEW.seq, NEW.model
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""

# What was promoted stays as it was; only its signature may be renewed, by another key.
STAYS = """
CREATE FUNCTION promotion_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR to_jsonb(NEW) - 'signed' <> to_jsonb(OLD) - 'signed' THEN
        RAISE EXCEPTION 'promotion % of % is history', OLD.seq, OLD.model USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""

NEVER_BACK = """
CREATE FUNCTION model_never_goes_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.promotion_seq < OLD.promotion_seq
        OR (NEW.champion IS DISTINCT FROM OLD.champion AND NEW.promotion_seq <> OLD.promotion_seq + 1) THEN
        RAISE EXCEPTION 'the champion of % changes under the next number only', OLD.name
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""

# A version serves by the gate's verdict only, and its bytes are those that the verdict was about.
STAGES = """
CREATE FUNCTION version_was_let_through() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.stage = 'champion' AND (NEW.report IS NULL OR OLD.stage = 'refused'))
        OR NEW.artifact <> OLD.artifact OR NEW.manifest <> OLD.manifest OR NEW.run_id <> OLD.run_id THEN
        RAISE EXCEPTION 'version % of % was not let through like that', OLD.version, OLD.model
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""

TRIGGERS = {
    "promotion_counts_up": "BEFORE INSERT ON promotion",
    "promotion_stays": "BEFORE UPDATE OR DELETE ON promotion",
    "model_never_goes_back": "BEFORE UPDATE ON model",
    "version_was_let_through": "BEFORE UPDATE ON version",
}


def upgrade() -> None:
    op.add_column("version", sa.Column("metrics", JSONB(), server_default=sa.text("'{}'"), nullable=False))
    op.add_column("promotion", sa.Column("signed", JSONB()))
    op.create_check_constraint("promotion_cause", "promotion", "cause IN ('gate', 'approval', 'rollback')")
    op.create_unique_constraint("promotion_whole", "promotion", ["model", "seq", "version"])
    op.create_foreign_key(
        "promotion_of_version", "promotion", "version", ["model", "version"], ["model", "version"]
    )
    # Deferred: model and promotion are written one after the other, in one transaction.
    op.create_foreign_key(
        "model_as_promoted",
        "model",
        "promotion",
        ["name", "promotion_seq", "champion"],
        ["model", "seq", "version"],
        deferrable=True,
        initially="DEFERRED",
    )
    for function in (COUNTS_UP, STAYS, NEVER_BACK, STAGES):
        op.execute(function)
    for name, when in TRIGGERS.items():
        op.execute(f"CREATE TRIGGER {name} {when} FOR EACH ROW EXECUTE FUNCTION {name}()")


def downgrade() -> None:
    for name, when in TRIGGERS.items():
        op.execute(f"DROP TRIGGER {name} ON {when.split(' ON ')[1]}")
        op.execute(f"DROP FUNCTION {name}()")
    op.drop_constraint("model_as_promoted", "model")
    op.drop_constraint("promotion_of_version", "promotion")
    op.drop_constraint("promotion_whole", "promotion")
    op.drop_constraint("promotion_cause", "promotion")
    op.drop_column("promotion", "signed")
    op.drop_column("version", "metrics")
