#!/bin/bash
# The checks of `make lint`, each a function that prints what is wrong and fails. Ends with "N checks
# passed, M failed". With arguments it runs only the checks named.
#
# To add a check: a function check_NAME, and its name in the list at the end.
# shellcheck disable=SC2317 # functions called by name
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
export LC_ALL=C
jobs=$(nproc)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mapfile -t sources < <(find src -name '*.c' | sort)
mapfile -t headers < <(find src -name '*.h' | sort)
mapfile -t tests < <(find test -path test/node_modules -prune -o -name '*.[ch]' -print | sort)
code=("${sources[@]}" "${headers[@]}")

# ---- format ----------------------------------------------------------------------------------

check_format() {
  local major
  major=$(clang-format --version | grep -oE '[0-9]+' | head -n 1)
  if [ "$major" != 14 ]; then
    echo "not checked: clang-format $major here, the style is that of 14"
    return 0
  fi
  clang-format --dry-run "${code[@]}" "${tests[@]}" 2>&1 | grep 'warning:' | cut -d: -f1 | sort -u >"$work/format"
  sed 's/$/: not formatted; run "make format"/' "$work/format"
  [ ! -s "$work/format" ]
}

# ---- includes --------------------------------------------------------------------------------

# Folder: what it may include. gen is where the build writes.
declare -A arrows=(
  [base]="base"
  [wire]="wire base"
  [rules]="rules base"
  [io]="io base"
  [store]="store rules io base gen"
  [hub]="hub wire io base"
  [api]="api hub store rules wire io base gen"
  [ctl]="ctl store rules io base gen"
  [main]="api hub store rules wire io base gen"
)

check_arrows() {
  local bad=0 file folder included target
  while IFS=: read -r file included; do
    folder=${file#src/}
    if [[ $folder == */* ]]; then folder=${folder%%/*}; else folder=main; fi
    target=${included%%/*}
    if [[ $included != */* ]]; then target=$folder; fi
    if [[ " ${arrows[$folder]:-} " != *" $target "* ]]; then
      echo "$file includes \"$included\": no arrow leads from $folder to $target"
      bad=1
    fi
  done < <(grep -HoE '^[ 	]*#[ 	]*include "[^"]+"' "${code[@]}" | sed -E 's/^([^:]*):.*"([^"]+)"/\1:\2/')
  return $bad
}

# Header of a library: the files that may include it.
owners='
uv.h|uv/*            src/io/*
hiredis/*            src/io/*
libpq-fe.h           src/io/*
sodium.h|sodium/*    src/base/secret.c
yyjson.h             src/base/json.c
llhttp.h             src/wire/http*.c
wslay/*              src/wire/ws*.c
mbedtls/*            src/wire/ws*.c|src/io/tls*.c
'
check_owners() {
  local bad=0 file included library allowed
  while IFS=: read -r file included; do
    while read -r library allowed; do
      [ -n "$library" ] || continue
      # shellcheck disable=SC2254
      if [[ $included == @($library) && $file != @($allowed) ]]; then
        echo "$file includes <$included>, which belongs to $allowed"
        bad=1
      fi
    done <<<"$owners"
  done < <(grep -HoE '^[ 	]*#[ 	]*include <[^>]+>' "${code[@]}" | sed -E 's/^([^:]*):.*<([^>]+)>/\1:\2/')
  return $bad
}

# ---- sizes -------------------------------------------------------------------------------------

excepted() { sed 's/#.*//' test/lint/exceptions.txt | awk -v name="$1" '$1 == name { found = 1 } END { exit !found }'; }

# "lines file name" of each function: a body opens and closes in the first column.
functions() {
  awk '
    FNR == 1 { head = "" }
    /^\{$/ { start = FNR; name = head; next }
    /^\}$/ && start { match(name, /[A-Za-z_][A-Za-z0-9_]*\(/); print FNR - start + 1, FILENAME, substr(name, RSTART, RLENGTH - 1); start = 0 }
    /^[A-Za-z_].*\(/ && !start { head = $0 }' "$@"
}

check_sizes() {
  local bad=0 lines file name
  functions "${sources[@]}" "${tests[@]}" | sort -rn >"$work/functions"
  awk '{ n++; if ($1 < 60) short++ } END { if (n) printf "%d functions, %.1f %% of them under 60 lines\n", n, 100 * short / n }' \
    "$work/functions"
  echo "longest: $(head -n 3 "$work/functions" | awk '{ printf "%s%s (%s) %d", sep, $3, $2, $1; sep = ", " }')"
  while read -r lines file name; do
    [ "$lines" -gt 100 ] || break
    if ! excepted "$name"; then
      echo "$file: $name has $lines lines, 100 is the most"
      bad=1
    fi
  done <"$work/functions"
  wc -l "${code[@]}" "${tests[@]}" schema/*.sql | awk '$2 != "total"' | sort -rn >"$work/files"
  echo "longest: $(head -n 3 "$work/files" | awk '{ printf "%s%s %d", sep, $2, $1; sep = ", " }')"
  while read -r lines file; do
    [ "$lines" -gt 800 ] || break
    if ! excepted "$file"; then
      echo "$file has $lines lines, 800 is the most"
      bad=1
    fi
  done <"$work/files"
  return $bad
}

# ---- banned functions ----------------------------------------------------------------------------

check_banned() {
  local bad=0 names allowed why file line
  for file in "${code[@]}"; do
    # Comments go, lines stay; strings become empty.
    gcc -fpreprocessed -dD -E -P "$file" 2>/dev/null | sed -E 's/"([^"\\]|\\.)*"/""/g' |
      awk -v file="$file" '{ print file ":" $0 }'
  done >"$work/bare"
  while read -r names allowed why; do
    while IFS= read -r line; do
      file=${line%%:*}
      # shellcheck disable=SC2254
      case $allowed in
      -) ;;
      *) [[ $file != @($allowed) ]] || continue ;;
      esac
      echo "$file: ${line#*:}: $why"
      bad=1
    done < <(grep -E "(^|[^A-Za-z0-9_])($names)[ 	]*\(" "$work/bare")
  done < <(sed 's/^#.*//' test/lint/banned.txt | grep .)
  return $bad
}

# ---- other people's checkers -----------------------------------------------------------------------

check_tidy() {
  printf '%s\0' "${sources[@]}" | xargs -0 -P "$jobs" -n 4 sh -c '
    clang-tidy --quiet "$@" -- -std=gnu11 -D_GNU_SOURCE -DPORTAL_FAULTS -Isrc -Ibuild \
      -isystem build/deps/usr/include -isystem /usr/include/postgresql 2>/dev/null' tidy \
    >"$work/tidy" && return 0
  # Where, what and the line; the way there is in clang-tidy's own output.
  grep -A 1 -E '(error|warning): ' "$work/tidy" | sed "s#^$PWD/##" | grep -v '^--$'
  return 1
}

# It does not know __VA_OPT__, which log_line needs: log_write loses its arguments here.
check_cppcheck() {
  mkdir -p build/cppcheck
  cppcheck --quiet -j "$jobs" --cppcheck-build-dir=build/cppcheck --std=c11 --language=c \
    --library=posix --library=gnu --library=test/lint/cppcheck.cfg \
    --enable=warning,performance,portability --inline-suppr \
    --suppressions-list=test/lint/cppcheck.txt --template='{file}:{line}: {message} [{id}]' \
    -D_GNU_SOURCE '-Dlog_write(...)=log_write()' -Isrc -Ibuild src >"$work/cppcheck" 2>&1
  cat "$work/cppcheck"
  [ ! -s "$work/cppcheck" ]
}

check_shell() {
  local files
  mapfile -t files < <(find .ci test vendor -path test/node_modules -prune -o -name '*.sh' -print -o -path .ci/run -print)
  shellcheck "${files[@]}"
}

passed=0
failed=0
[ $# -gt 0 ] || set -- format arrows owners sizes banned shell cppcheck tidy
for check in "$@"; do
  started=$SECONDS
  if "check_$check" >"$work/out" 2>&1; then
    passed=$((passed + 1))
    sed 's/^/         /' "$work/out"
    printf '  lint   %s (%s s)\n' "$check" $((SECONDS - started))
  else
    failed=$((failed + 1))
    sed 's/^/         /' "$work/out"
    printf '  lint   %s FAILED\n' "$check"
  fi
done
echo "$passed checks passed, $failed failed"
[ $failed = 0 ]
