#!/bin/bash
# One machine's part of a server that spans several: node.sh PROGRAM SUBCOMMAND ARGUMENT...
# LeaderWorkerSet says which part (LWS_WORKER_INDEX, 0 is the leader) and where the leader is (LWS_LEADER_ADDRESS).
set -euo pipefail

if [ $# -lt 2 ]; then
  echo "usage: node.sh PROGRAM SUBCOMMAND ARGUMENT..." >&2
  exit 2
fi
index=${LWS_WORKER_INDEX:?LeaderWorkerSet sets it} leader=${LWS_LEADER_ADDRESS:?LeaderWorkerSet sets it}
part=(--node-rank "$index" --master-addr "$leader")
# Only the leader answers requests.
if [ "$index" -ne 0 ]; then part+=(--headless); fi
exec "$1" "$2" "${@:3}" "${part[@]}"
