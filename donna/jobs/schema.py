"""The tables of a job store. Each service has its own database (or schema): nothing is shared."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

jobs = Table(
    "jobs",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("kind", String(64), nullable=False),
    Column("spec", Text, nullable=False),
    Column("spec_sha256", String(64), nullable=False),
    Column("request_id", String(128)),
    Column("state", String(16), nullable=False),
    Column("message", Text, nullable=False, default=""),
    Column("cost", Text, nullable=False, default="{}"),
    Column("error", Text),
    Column("waiting_for", Text, nullable=False, default=""),
    Column("result", Text),
    Column("created_at", Float, nullable=False),
    Column("started_at", Float),
    Column("ended_at", Float),
    Column("eta_from_at", Float),
    Column("eta_from_done", Float, nullable=False, default=0.0),
    Column("done", Float, nullable=False, default=0.0),
    Column("total", Float, nullable=False, default=0.0),
    Column("revision", Integer, nullable=False, default=1),
    UniqueConstraint("kind", "request_id", name="uq_jobs_request"),
    Index("ix_jobs_kind_created", "kind", "created_at", "name"),
    Index("ix_jobs_state", "state"),
)

tasks = Table(
    "tasks",
    metadata,
    Column("job", String(128), primary_key=True),
    Column("idx", Integer, primary_key=True),
    Column("key", String(256), nullable=False, default=""),
    Column("spec", Text, nullable=False),
    Column("label", Text, nullable=False, default=""),
    Column("units", Float, nullable=False, default=1.0),
    Column("fraction", Float, nullable=False, default=0.0),
    Column("state", String(16), nullable=False),
    Column("attempt", Integer, nullable=False, default=0),
    Column("fence", Integer, nullable=False, default=0),
    Column("owner", String(128), nullable=False, default=""),
    Column("lease_until", Float),
    Column("not_before", Float, nullable=False, default=0.0),
    Column("reused", Boolean, nullable=False, default=False),
    Column("checkpoint", Text),
    Column("result", Text),
    Column("error", Text),
    Index("ix_tasks_state", "state", "not_before"),
    Index("ix_tasks_key", "key"),
)

parts = Table(  # of checkpoints that grow: each is written once
    "parts",
    metadata,
    Column("job", String(128), primary_key=True),
    Column("idx", Integer, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("data", Text, nullable=False),
)

results = Table(
    "results",
    metadata,
    Column("key", String(256), primary_key=True),
    Column("result", Text, nullable=False),
    Column("created_at", Float, nullable=False),
)
