#!/bin/bash
# Runs the steps it is given (unit, sim, server, browser, fuzz, lint, docs, size) against what the Makefile has built and
# ends with one line, "N passed, M failed", summed over them all. unit, server and browser need stores: run it under
# with-stores.sh.
#
# To add a step: a function step_NAME that calls `count PASSED FAILED`, and its name in the Makefile. (The step
# lane is what in_lanes runs beside itself.)
# shellcheck disable=SC2317 # functions called by name
set -euo pipefail
cd "$(dirname "$0")/../.."
B=${B:-build/test}
FUZZ_SECONDS=${FUZZ_SECONDS:-5}
SERVER_SECONDS=${SERVER_SECONDS:-120} # the most a file of server tests may take
export SOAK_SECONDS=${SOAK_SECONDS:-120} # how long $SOAK makes load
SOAK=test/server/soak.test.js
passed=0
failed=0
work=$(mktemp -d build/testrun.XXXXXX)
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1:strict_string_checks=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}

say() { printf '  %-7s%s\n' "$1" "$2"; }
count() {
  passed=$((passed + $1))
  failed=$((failed + $2))
}

trap 'jobs -pr | xargs -r kill 2>/dev/null || :; wait; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP

# TAP of one cmocka program: planned and passed tests. What ended early counts as failed.
tap_count() { # file status
  awk -v status="$2" '
    /^1\.\.[0-9]+/ { sub(/^1\.\./, ""); planned += $1 }
    /^ok / { ok++ }
    /^not ok / { bad++ }
    END {
      missing = planned - ok - bad
      if (missing > 0) bad += missing
      if (status != 0 && bad == 0) bad = 1
      if (status == 0 && planned == 0) bad = 1
      print ok + 0, bad + 0
    }' "$1"
}

# One program, with a time limit. Like server_file it leaves its counts in the folder.
unit_file() { # source folder
  local name out=$2 status=0 counts
  name=$(basename "$1" .c)
  CMOCKA_MESSAGE_OUTPUT=TAP timeout --foreground -k 5 120 "$B/unit/$name" >"$out/out" 2>&1 || status=$?
  read -r -a counts <<<"$(tap_count "$out/out" $status)"
  echo "${counts[@]}" >"$out/counts"
  if [ "${counts[1]}" = 0 ]; then
    say unit "$name: ${counts[0]} passed"
  else
    grep -v '^ok ' "$out/out" | tail -n 60
    say unit "$name: ${counts[0]} passed, ${counts[1]} FAILED (status $status)"
  fi
}

# One file, with a time limit, so that one that hangs does not take the others with it. What a file without a
# summary has got through still counts. Output and counts are left in the folder.
server_file() { # file folder
  local file=$1 out=$2 status=0 started=$SECONDS counts limit=$SERVER_SECONDS
  [ "$file" != $SOAK ] || limit=$((2 * SERVER_SECONDS + SOAK_SECONDS)) # it settles as long as something comes
  timeout --foreground -k 10 "$limit" node --test \
    --test-reporter=spec --test-reporter-destination="$out/spec" \
    --test-reporter=tap --test-reporter-destination="$out/tap" "$file" || status=$?
  read -r -a counts < <(awk -v status=$status '
    /^# (pass|fail|cancelled) / { end = 1; if ($2 == "pass") pass += $3; else fail += $3 }
    /^ *ok / { ok++ }
    /^ *not ok / { bad++ }
    END {
      if (!end) { pass = ok; fail = bad + 1 }
      if (status != 0 && !fail) fail = 1
      print pass + 0, fail + 0
    }' "$out/tap")
  echo "${counts[@]}" >"$out/counts"
  if [ "${counts[1]}" = 0 ]; then
    say server "$file: ${counts[0]} passed ($((SECONDS - started)) s)"
  else
    cat "$out/spec"
    [ $status -lt 124 ] || say server "stopped after $limit s"
    say server "$file: ${counts[0]} passed, ${counts[1]} FAILED ($((SECONDS - started)) s)"
  fi
}

# Takes files of LANES until none is left; another lane may be at it, with stores of its own.
step_lane() {
  local file
  while read -r file <&3; do
    if mkdir "$LANES/${file//\//.}" 2>/dev/null; then
      case $file in
      *.c) unit_file "$file" "$LANES/${file//\//.}" ;;
      *) server_file "$file" "$LANES/${file//\//.}" ;;
      esac >"$LANES/said.$$"
      cat "$LANES/said.$$"
    fi
  done 3<"$LANES/files"
}

# Most of the time tests wait for something, so several lanes take files side by side.
in_lanes() { # lanes files…
  local file lane lanes=$1
  shift
  export LANES="$PWD/$work/lanes"
  mkdir -p "$LANES"
  printf '%s\n' "$@" >"$LANES/files"
  for ((lane = 1; lane < lanes && lane < $#; lane++)); do test/dev/with-stores.sh test/dev/test.sh lane & done
  step_lane
  wait
  for file in "$@"; do
    # shellcheck disable=SC2046 # two numbers
    count $(cat "$LANES/${file//\//.}/counts" 2>/dev/null || echo 0 1)
  done
}

step_unit() { in_lanes 3 test/unit/test_*.c; }

# The longest first: it mostly waits, beside the others.
step_server() {
  local files
  read -r -a files <<<"${TESTS:-$SOAK $(printf '%s ' test/server/*.test.js | sed "s| $SOAK | |")}"
  in_lanes 4 "${files[@]}"
}

# The web client in Chromium.
step_browser() {
  local files
  read -r -a files <<<"${TESTS:-$(echo test/browser/*.test.js)}"
  in_lanes 3 "${files[@]}"
}

# test/fuzz/corpus/NAME are the kept inputs of fuzz_NAME (and NAME.dict its dictionary); what a run finds
# stays in build/. Two run side by side.
fuzz_one() { # name
  local name=$1 seeds=test/fuzz/corpus/$1 found=build/fuzz/corpus/$1 arguments=()
  mkdir -p "$found"
  [ ! -f "test/fuzz/$name.dict" ] || arguments+=("-dict=test/fuzz/$name.dict")
  arguments+=("$found")
  [ ! -d "$seeds" ] || arguments+=("$seeds")
  if "build/fuzz/fuzz_$name" -max_total_time="$FUZZ_SECONDS" -timeout=10 -rss_limit_mb=2048 \
    -artifact_prefix="build/fuzz/$name-" "${arguments[@]}" >"$work/fuzz_$name" 2>&1; then
    say fuzz "$name: $(grep -oE '^Done [0-9]+ runs' "$work/fuzz_$name" || echo ended), $FUZZ_SECONDS s"
    touch "$work/fuzz_$name.ok"
  else
    tail -n 40 "$work/fuzz_$name"
    say fuzz "$name: FAILED (the input is in build/fuzz/$name-*)"
  fi
}

step_fuzz() {
  local source name names=()
  for source in test/fuzz/fuzz_*.c; do
    [ -e "$source" ] || continue
    name=$(basename "$source" .c)
    names+=("${name#fuzz_}")
  done
  for name in "${names[@]}"; do
    while [ "$(jobs -pr | wc -l)" -ge 2 ]; do wait -n || :; done
    fuzz_one "$name" &
  done
  wait
  for name in "${names[@]}"; do
    if [ -e "$work/fuzz_$name.ok" ]; then count 1 0; else count 0 1; fi
  done
}

# The matcher's scripts under a virtual clock (test/sim/main.c): no seed fails, and of the faults that are
# planted almost all are found.
step_sim() {
  local sim arguments
  sim=${B/test/release}/sim/sim
  for arguments in "--seeds 10000" "--faults --seeds 3000"; do
    # shellcheck disable=SC2086 # words
    if timeout --foreground -k 5 300 $sim $arguments >"$work/sim" 2>&1; then
      say sim "$(tail -n 1 "$work/sim")"
      count 1 0
    else
      cat "$work/sim"
      say sim "FAILED: sim $arguments"
      count 0 1
    fi
  done
}

step_lint() {
  local ok bad
  test/lint/lint.sh | tee "$work/lint" || :
  read -r ok bad < <(awk '/ checks passed, / { print $1 + 0, $4 + 0; found = 1 } END { if (!found) print 0, 1 }' "$work/lint")
  count "$ok" "$bad"
}

# Generated documents are what the programs print.
step_docs() {
  if test/dev/docs.sh check "$B"; then count 1 0; else count 0 1; fi
}

# The release binary, stripped.
step_size() {
  local size
  strip -o "$work/portald" build/release/portald
  size=$(wc -c <"$work/portald")
  say size "portald stripped: $size bytes"
  if [ "$size" -le $((2 * 1024 * 1024)) ]; then
    count 1 0
  else
    say size "FAILED: at most 2 MiB"
    count 0 1
  fi
}

for step in "$@"; do "step_$step"; done
[ "$*" != lane ] || exit 0 # whoever began it counts
echo "$passed passed, $failed failed"
[ $failed = 0 ]
