"""The database's schema, version by version; alembic runs them in one line, for only the roof sees every table."""
