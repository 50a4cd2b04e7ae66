"""Runs migrations in the transaction of whoever called alembic. It opens no connection."""

from alembic import context

from postroom.store.schema import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
context.run_migrations()
