#!/bin/sh
# On the new primary, once: the role and the database of the gateway, and the role and the slot of the standby. The passwords are in files.
# While there is no standby yet, a commit that waited for one would wait forever.
set -eu
secrets="${SECRETS:-/run/secrets}"
PGOPTIONS="-c synchronous_commit=local" psql -v ON_ERROR_STOP=1 -U postgres -d postgres \
    -v gw="$(cat "$secrets/gw-password")" -v standby="$(cat "$secrets/standby-password")" <<'SQL'
CREATE ROLE gw LOGIN PASSWORD :'gw';
CREATE DATABASE gw OWNER gw TEMPLATE template0 ENCODING 'UTF8';
REVOKE CONNECT ON DATABASE gw FROM PUBLIC; -- who is connected may listen to what the nodes say to each other, and speak
CREATE ROLE standby LOGIN REPLICATION PASSWORD :'standby';
SELECT pg_create_physical_replication_slot('standby');
SQL
echo "host replication standby samenet scram-sha-256" >> "$PGDATA/pg_hba.conf"
