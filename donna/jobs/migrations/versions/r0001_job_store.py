"""Jobs, their tasks, and remembered results.

Written with `if_not_exists`, since the databases of the first days have the tables but no record of their revision.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Creates the three tables."""
    op.create_table(
        "jobs",
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("spec", sa.Text, nullable=False),
        sa.Column("spec_sha256", sa.String(64), nullable=False),
        sa.Column("request_id", sa.String(128)),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("cost", sa.Text, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("waiting_for", sa.Text, nullable=False),
        sa.Column("result", sa.Text),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("started_at", sa.Float),
        sa.Column("ended_at", sa.Float),
        sa.Column("eta_from_at", sa.Float),
        sa.Column("eta_from_done", sa.Float, nullable=False),
        sa.Column("done", sa.Float, nullable=False),
        sa.Column("total", sa.Float, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.UniqueConstraint("kind", "request_id", name="uq_jobs_request"),
        if_not_exists=True,
    )
    op.create_index("ix_jobs_kind_created", "jobs", ["kind", "created_at", "name"], if_not_exists=True)
    op.create_index("ix_jobs_state", "jobs", ["state"], if_not_exists=True)
    op.create_table(
        "tasks",
        sa.Column("job", sa.String(128), primary_key=True),
        sa.Column("idx", sa.Integer, primary_key=True),
        sa.Column("key", sa.String(256), nullable=False),
        sa.Column("spec", sa.Text, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("units", sa.Float, nullable=False),
        sa.Column("fraction", sa.Float, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("fence", sa.Integer, nullable=False),
        sa.Column("owner", sa.String(128), nullable=False),
        sa.Column("lease_until", sa.Float),
        sa.Column("not_before", sa.Float, nullable=False),
        sa.Column("reused", sa.Boolean, nullable=False),
        sa.Column("checkpoint", sa.Text),
        sa.Column("result", sa.Text),
        sa.Column("error", sa.Text),
        if_not_exists=True,
    )
    op.create_index("ix_tasks_state", "tasks", ["state", "not_before"], if_not_exists=True)
    op.create_index("ix_tasks_key", "tasks", ["key"], if_not_exists=True)
    op.create_table(
        "results",
        sa.Column("key", sa.String(256), primary_key=True),
        sa.Column("result", sa.Text, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        if_not_exists=True,
    )
