"""Run by Alembic, over the connection that `schemas/archive/upgrade.py` has made."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
