"""Spans, by the day they came in on.

Revision ID: console_0002
Revises: console_0001
"""

from alembic import op

revision = "console_0002"
down_revision = "console_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE span_origin (
            day date NOT NULL,
            origin_id bigint NOT NULL,
            service text NOT NULL,
            resource json NOT NULL,
            scope json NOT NULL,
            PRIMARY KEY (day, origin_id)
        )
    """)
    # No key: a batch that an exporter sends again is told apart when it is read, so that writing is appending.
    op.execute("""
        CREATE TABLE span (
            day date NOT NULL,
            trace_id bytea NOT NULL,
            span_id bytea NOT NULL,
            parent_id bytea,
            origin_id bigint NOT NULL,
            service text NOT NULL,
            name text NOT NULL,
            kind smallint NOT NULL,
            start_ns bigint NOT NULL,
            duration_ns bigint NOT NULL,
            status smallint NOT NULL,
            status_message text NOT NULL,
            attributes json NOT NULL,
            more json
        ) PARTITION BY RANGE (day)
    """)
    op.execute("CREATE INDEX span_trace ON span (trace_id)")
    op.execute("CREATE INDEX span_service ON span (service, start_ns)")
    op.execute("CREATE INDEX span_name ON span (service, name, start_ns)")
    op.execute("""
        CREATE TABLE span_link (
            day date NOT NULL,
            to_trace bytea NOT NULL,
            to_span bytea NOT NULL,
            trace_id bytea NOT NULL,
            span_id bytea NOT NULL,
            service text NOT NULL,
            name text NOT NULL,
            start_ns bigint NOT NULL
        ) PARTITION BY RANGE (day)
    """)
    op.execute("CREATE INDEX span_link_target ON span_link (to_trace, to_span, start_ns)")


def downgrade() -> None:
    op.execute("DROP TABLE span_link")
    op.execute("DROP TABLE span")
    op.execute("DROP TABLE span_origin")
