#!/bin/bash
# docs.sh write|check PROGRAMS: the generated documents, from the tables in portald. `check` compares
# instead and fails on a difference.
#
# To add a document: a line in the list below, and the option in portald.
set -euo pipefail
cd "$(dirname "$0")/../.."
action=$1
portald=$2/portald
[ -x "$portald" ] || { echo "portal: $portald is not built." >&2 && exit 1; }
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
different=0

while read -r option file; do
  "$portald" "$option" >"$out/new" </dev/null
  if cmp -s "$out/new" "$file"; then continue; fi
  if [ "$action" = write ]; then
    cp "$out/new" "$file"
    chmod 644 "$file"
    echo "  docs   $file written"
  else
    diff -u "$file" "$out/new" | head -n 20 || :
    echo "  docs   $file is not what 'portald $option' prints; run 'make docs'."
    different=1
  fi
done <<'END'
--print-api docs/api.md
--print-settings docs/settings.md
--print-openapi docs/openapi.json
--print-events docs/events.md
--print-asyncapi docs/asyncapi.json
END
exit $different
