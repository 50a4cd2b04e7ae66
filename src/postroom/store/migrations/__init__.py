"""The steps from each version of the tables to the next, for alembic. A step that was released is never changed."""
