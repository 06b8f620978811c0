"""Alembic's entry. The caller (ledger/adapters/store/migrate.py) gives a connection inside its own transaction."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=context.config.attributes["metadata"],
    compare_type=True,
    compare_server_default=True,
    transactional_ddl=True,
)
context.run_migrations()
