"""The steps by which the tables of a job store came to be, in order; `alembic` runs them."""
