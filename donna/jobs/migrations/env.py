"""What alembic executes: the steps that a database lacks, over a connection that is open and in a transaction."""

from alembic import context

from donna.jobs.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,  # on SQLite too: a step happens whole or not at all
    transaction_per_migration=False,
)
context.run_migrations()
