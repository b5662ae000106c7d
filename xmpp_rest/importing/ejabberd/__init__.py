"""ejabberd's SQL schema, old and new, from 16.03 on (docs/importing.md)."""
