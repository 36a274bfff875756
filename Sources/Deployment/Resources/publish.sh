#!/bin/bash
# Copies results away and exits with the benchmark's own status: publish.sh FROM TO. Set: STATUS_FILE.
set -euo pipefail

bash "$(dirname "$0")/sync.sh" "$1" "$2"
status=$(cat "$STATUS_FILE")
[[ $status =~ ^[0-9]+$ ]] || { echo "publish: '$status' is no exit status" >&2; exit 1; }
exit "$status"
