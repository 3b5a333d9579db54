#!/bin/bash
# with-stores.sh COMMAND…: runs the command with fresh private stores (fast, not durable) that are gone
# when it ends: DATABASE_URL, REDIS_URL, PORTAL_STORES (their folder, for stores.sh), PORTALD, PORTALCTL.
# B is the folder of the programs, build/test when it is not set.
#
# Each run has stores of its own, named by its pid, so that several may run side by side; those of a run
# that was killed are removed by the next.
# shellcheck disable=SC2317 # functions called by traps
set -euo pipefail
cd "$(dirname "$0")/../.."
stores=build/test-stores/$$
child=

stop_all() {
  local status=$? i
  trap '' INT TERM HUP
  trap - EXIT
  if [ -n "$child" ] && kill -TERM -- -"$child" 2>/dev/null; then
    for ((i = 0; i < 100; i++)); do
      kill -0 -- -"$child" 2>/dev/null || break
      sleep 0.1
    done
    kill -KILL -- -"$child" 2>/dev/null || :
  fi
  test/dev/stores.sh stop $stores || :
  rm -rf $stores
  exit "$status"
}

for old in build/test-stores/*; do
  if [ -d "$old" ] && ! kill -0 "${old##*/}" 2>/dev/null; then
    test/dev/stores.sh stop "$old" || :
    rm -rf "$old"
  fi
done

trap stop_all EXIT
trap 'exit 130' INT TERM HUP
test/dev/stores.sh start $stores --fast >/dev/null
# shellcheck disable=SC1090,SC1091
. $stores/env
programs=$PWD/${B:-build/test}
export PORTALD=$programs/portald PORTALCTL=$programs/portalctl PORTAL_STORES=$PWD/$stores

# A process group of its own, so that all of it can be stopped.
set -m
"$@" </dev/null &
child=$!
set +m
wait $child
