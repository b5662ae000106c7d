#!/bin/sh
# In place of `postgres` on the standby: the first time it copies the primary, and follows it from then on.
set -eu
secrets="${SECRETS:-/run/secrets}"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    PGPASSWORD="$(cat "$secrets/standby-password")"
    export PGPASSWORD
    until pg_basebackup -R -S standby -X stream -c fast -h "$PRIMARY" -U standby -D "$PGDATA"; do sleep 1; done
    unset PGPASSWORD
fi
exec postgres "$@"
