"""A champion per model and deployment stage; what serves already serves in production.

Revision ID: registry_0012
Revises: registry_0011
"""

import sqlalchemy as sa
from alembic import op

revision = "registry_0012"
down_revision = "registry_0011"
branch_labels = None
depends_on = None

# Whoever promotes writes the promotion alone, the release before included, and cannot forget the champion.
CHAMPION = """
CREATE FUNCTION promotion_makes_champion() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO champion (model, stage, seq, version) VALUES (NEW.model, NEW.stage, NEW.seq, NEW.version)
    ON CONFLICT (model, stage) DO UPDATE SET seq = EXCLUDED.seq, version = EXCLUDED.version, dropped = false
    WHERE champion.seq < EXCLUDED.seq;
    RETURN NULL;
END $$
"""

CHAMPION_STAYS = """
CREATE FUNCTION champion_never_goes_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR NEW.seq < OLD.seq OR (NEW.model, NEW.stage) <> (OLD.model, OLD.stage) THEN
        RAISE EXCEPTION 'the champion of % in % changes by a promotion only', OLD.model, OLD.stage
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""

# At the end of the transaction, for promotion, model and version are written one after the other. It takes the place
# of a foreign key by which the newest promotion was that of the champion, which one to another stage is not.
AS_PROMOTED = """
CREATE FUNCTION model_as_promoted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM model WHERE name = NEW.name AND champion IS NOT NULL AND (
            champion IS DISTINCT FROM
                (SELECT version FROM champion WHERE model = NEW.name AND stage = 'production')
            OR promotion_seq <> (SELECT coalesce(max(seq), 0) FROM promotion WHERE model = NEW.name)
        )
    ) THEN
        RAISE EXCEPTION 'model % is not as it was promoted', NEW.name USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    op.add_column("promotion", sa.Column("stage", sa.String(), server_default="production", nullable=False))
    op.create_unique_constraint("promotion_staged", "promotion", ["model", "seq", "version", "stage"])
    op.create_index("promotion_version", "promotion", ["model", "version"])
    op.create_table(
        "champion",
        sa.Column("model", sa.String(), sa.ForeignKey("model.name"), primary_key=True),
        sa.Column("stage", sa.String(), primary_key=True),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("dropped", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model", "seq", "version", "stage"],
            ["promotion.model", "promotion.seq", "promotion.version", "promotion.stage"],
        ),
    )
    op.execute(
        "INSERT INTO champion (model, stage, seq, version)"
        " SELECT promotion.model, 'production', promotion.seq, promotion.version FROM model"
        " JOIN promotion ON promotion.model = model.name AND promotion.seq = model.promotion_seq"
    )
    op.execute(CHAMPION)
    op.execute(
        "CREATE TRIGGER promotion_makes_champion AFTER INSERT ON promotion"
        " FOR EACH ROW EXECUTE FUNCTION promotion_makes_champion()"
    )
    op.execute(CHAMPION_STAYS)
    op.execute(
        "CREATE TRIGGER champion_never_goes_back BEFORE UPDATE OR DELETE ON champion"
        " FOR EACH ROW EXECUTE FUNCTION champion_never_goes_back()"
    )
    op.drop_constraint("model_as_promoted", "model", type_="foreignkey")
    op.execute(AS_PROMOTED)
    op.execute(
        "CREATE CONSTRAINT TRIGGER model_as_promoted AFTER INSERT OR UPDATE ON model DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION model_as_promoted()"
    )
    # The release before writes neither: what it measures is bound for production.
    for column in ("bound_for", "passed_for"):
        op.add_column("version", sa.Column(column, sa.String(), server_default="production"))
    op.execute("UPDATE version SET bound_for = NULL WHERE stage NOT IN ('registered', 'passed')")
    op.execute("UPDATE version SET passed_for = NULL WHERE stage IN ('registered', 'refused')")
    op.add_column("worker", sa.Column("stage", sa.String(), server_default="production", nullable=False))


def downgrade() -> None:
    op.drop_column("worker", "stage")
    op.drop_column("version", "passed_for")
    op.drop_column("version", "bound_for")
    op.execute("DROP TRIGGER model_as_promoted ON model")
    op.execute("DROP FUNCTION model_as_promoted()")
    op.create_foreign_key(
        "model_as_promoted",
        "model",
        "promotion",
        ["name", "promotion_seq", "champion"],
        ["model", "seq", "version"],
        deferrable=True,
        initially="DEFERRED",
    )
    op.execute("DROP TRIGGER promotion_makes_champion ON promotion")
    op.execute("DROP FUNCTION promotion_makes_champion()")
    op.drop_table("champion")
    op.execute("DROP FUNCTION champion_never_goes_back()")
    op.drop_index("promotion_version", "promotion")
    op.drop_constraint("promotion_staged", "promotion")
    op.drop_column("promotion", "stage")
