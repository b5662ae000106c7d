"""MongooseIM's SQL schema (priv/pg.sql, priv/mysql.sql; docs/importing.md)."""
