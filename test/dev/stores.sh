#!/bin/bash
# A private PostgreSQL and a private Redis, on Unix sockets only, so that they clash with nothing.
#
#   stores.sh start DIR [--fast]   starts both (data stays in DIR); writes DIR/env, which sets
#                                  DATABASE_URL and REDIS_URL. --fast: for tests, no fsync.
#   stores.sh stop DIR             stops both, and nothing else
#
# Either command may be given `--only postgres` or `--only redis`. What runs already is kept: a
# crash of whoever started them needs no repair.
#
# PostgreSQL refuses to run as root; started by root, both run as the user `postgres`, and where that
# user may not enter DIR they keep one capability (dac_override) to reach their data all the same.
set -euo pipefail
umask 077

die() {
  printf 'portal: %s\n' "$1" >&2
  exit 1
}

command=${1:-}
[ $# -ge 2 ] || die "usage: stores.sh start|stop DIR [--fast] [--only postgres|redis]"
mkdir -p "$2"
dir=$(cd "$2" && pwd)
shift 2
fast=no
only=both
while [ $# -gt 0 ]; do
  case $1 in
  --fast) fast=yes ;;
  --only) only=$2 && shift ;;
  *) die "stores.sh: unknown option $1" ;;
  esac
  shift
done

# Sockets lie in DIR/run, unless that is too long for a socket's address (107 bytes) or has
# characters that would need quoting in a URL.
sockets=$dir/run
if [ ${#sockets} -gt 80 ] || [[ $sockets =~ [^A-Za-z0-9/._-] ]]; then
  sockets=${XDG_RUNTIME_DIR:-/tmp}/portal-$(printf '%s' "$dir" | sha256sum | cut -c 1-12)
fi
redis_socket=$sockets/redis.sock

# The newest installed server.
postgres_bin=
for d in /usr/lib/postgresql/*/bin; do
  [ ! -x "$d/postgres" ] || postgres_bin=$(printf '%s\n%s\n' "$postgres_bin" "$d" | sort -V | tail -n 1)
done

user=
as_user=()
if [ "$(id -u)" = 0 ]; then
  user=postgres
  as_user=(setpriv --reuid=postgres --regid=postgres --init-groups)
fi
# Runs a command as the stores' user, away from the terminal (Ctrl-C is for the starter) and without
# the starter's lock.
as_store() {
  (cd / && exec "${as_user[@]}" "$@" 9>&- </dev/null)
}

own() { # directory…
  mkdir -p "$@"
  [ -z "$user" ] || chown "$user:" "$@"
  chmod 700 "$@"
}

prepare() {
  if [ -n "$user" ]; then
    id "$user" >/dev/null 2>&1 || die "there is no user 'postgres'; install PostgreSQL ('make deps')."
  fi
  mkdir -p "$dir/log"
  own "$dir/postgres" "$dir/redis" "$sockets" "$dir/log"
  [ -z "$user" ] || chmod 711 "$dir" # the way to the data; what lies beside it is private by its own mode
  # Not `test -w`: access(2) leaves capabilities out.
  if ! as_store stat "$dir/postgres/." "$sockets/." >/dev/null 2>&1; then
    as_user+=(--inh-caps=+dac_override --ambient-caps=+dac_override)
    as_store stat "$dir/postgres/." "$sockets/." >/dev/null 2>&1 ||
      die "the user 'postgres' cannot enter $dir; run 'chmod o+x' on the folders above it, or move the tree."
  fi
}

# ---- PostgreSQL -------------------------------------------------------------------------------

pg() { as_store "$postgres_bin/pg_ctl" -D "$dir/postgres" "$@"; }

postgres_init() {
  [ ! -s "$dir/postgres/PG_VERSION" ] || return 0
  echo "  stores creating the database in ${dir/#$PWD\//}/postgres"
  # Trust, since only the owner may enter the folder of the socket.
  as_store "$postgres_bin/initdb" -D "$dir/postgres" -U portal -E UTF8 --locale=C.UTF-8 -A trust \
    --no-sync >"$dir/log/initdb.log" 2>&1 ||
    die "initdb failed: $(tail -n 1 "$dir/log/initdb.log")"
}

postgres_start() {
  [ -n "$postgres_bin" ] || die "PostgreSQL is not installed; 'make deps' installs it."
  postgres_init
  if ! pg status >/dev/null 2>&1; then
    local options="-c listen_addresses='' -c unix_socket_directories='$sockets'"
    options+=" -c unix_socket_permissions=0700 -c logging_collector=off"
    if [ "$fast" = yes ]; then
      options+=" -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=200"
    fi
    pg -w -t 60 -s -o "$options" -l "$dir/log/postgres.log" start >/dev/null 2>&1 ||
      die "PostgreSQL did not start: $(tail -n 1 "$dir/log/postgres.log" 2>/dev/null)"
  fi
  as_store psql -X -q -h "$sockets" -U portal -d postgres -tA \
    -c "SELECT 1 FROM pg_database WHERE datname = 'portal'" | grep -q 1 ||
    as_store createdb -h "$sockets" -U portal portal
}

postgres_stop() {
  [ -n "$postgres_bin" ] && [ -s "$dir/postgres/postmaster.pid" ] || return 0
  pg status >/dev/null 2>&1 || return 0
  kill -CONT "$(head -n 1 "$dir/postgres/postmaster.pid")" # it may have been frozen
  pg -w -t 20 -s -m fast stop >/dev/null 2>&1 || pg -w -t 10 -s -m immediate stop >/dev/null 2>&1 || :
}

# ---- Redis --------------------------------------------------------------------------------------

redis() { timeout 5 redis-cli -s "$redis_socket" "$@" 2>/dev/null; }

# Its pid, when the process of that number is still our Redis.
redis_pid() {
  local pid
  pid=$(cat "$dir/redis/redis.pid" 2>/dev/null) || return 1
  [ -n "$pid" ] && tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF "$redis_socket" &&
    echo "$pid"
}

redis_start() {
  command -v redis-server >/dev/null || die "Redis is not installed; 'make deps' installs it."
  if redis_pid >/dev/null; then return; fi
  local durable=(--appendonly yes --appendfsync always)
  if [ "$fast" = yes ]; then durable=(--appendonly no); fi
  rm -f "$redis_socket"
  as_store redis-server --port 0 --unixsocket "$redis_socket" --unixsocketperm 700 \
    --dir "$dir/redis" --pidfile "$dir/redis/redis.pid" --logfile "$dir/log/redis.log" \
    --daemonize yes --databases 64 --save '' "${durable[@]}" >/dev/null ||
    die "Redis did not start: $(tail -n 1 "$dir/log/redis.log" 2>/dev/null)"
  local i
  for ((i = 0; i < 300; i++)); do
    if [ "$(redis ping)" = PONG ]; then return; fi
    sleep 0.1
  done
  die "Redis does not answer: $(tail -n 1 "$dir/log/redis.log" 2>/dev/null)"
}

redis_stop() {
  local pid i
  pid=$(redis_pid) || return 0
  kill -CONT "$pid"
  kill -TERM "$pid"
  for ((i = 0; i < 100; i++)); do
    kill -0 "$pid" 2>/dev/null || return 0
    sleep 0.05
  done
  kill -KILL "$pid" 2>/dev/null || :
}

case $command in
start)
  prepare
  [ "$only" = redis ] || postgres_start
  [ "$only" = postgres ] || redis_start
  cat >"$dir/env" <<END
export DATABASE_URL='postgresql:///portal?host=$sockets&user=portal'
export REDIS_URL='unix://$redis_socket'
END
  ;;
stop)
  [ ! -d "$dir/postgres" ] || prepare
  [ "$only" = postgres ] || redis_stop
  [ "$only" = redis ] || postgres_stop
  ;;
*) die "usage: stores.sh start|stop DIR [--fast] [--only postgres|redis]" ;;
esac
