#!/bin/bash
# Copies a folder: sync.sh [--if-complete|--mark-complete] FROM TO, or tries whether it could: sync.sh --try TO
# One side may be s3://BUCKET/PREFIX.
#
# A copy that others may find half done is marked when it is whole, by the file COMPLETE:
#   --mark-complete  writes the mark last;
#   --if-complete    copies what is marked; what is not there is no error, what may not be read is one.
set -euo pipefail

mark=COMPLETE
mode=always
case "${1:-}" in
  --if-complete | --mark-complete | --try) mode=${1#--}; shift ;;
esac
wanted=2
if [ "$mode" = try ]; then wanted=1; fi
if [ $# -ne "$wanted" ]; then
  echo "usage: sync.sh [--if-complete|--mark-complete] FROM TO, or sync.sh --try TO" >&2
  exit 2
fi
scratch=${TMPDIR:-/tmp}

is_bucket() { [[ $1 == s3://* ]]; }

# 0: there; 1: not there. Anything else, such as missing rights, ends the script.
is_complete() {
  if ! is_bucket "$1"; then
    [ -e "$1/$mark" ]
    return
  fi
  local status=0
  aws s3 ls "$1/$mark" > /dev/null 2> "$scratch/sync-error" || status=$?
  if [ "$status" -ne 0 ] && { [ "$status" -ne 1 ] || [ -s "$scratch/sync-error" ]; }; then
    echo "sync: cannot look at $1: $(cat "$scratch/sync-error")" >&2
    echo "sync: the pod's service account needs a role that may list and read the bucket (EKS Pod Identity)" >&2
    exit 1
  fi
  return "$status"
}

if [ "$mode" = try ]; then
  to=${1%/}
  if is_bucket "$to"; then
    date -u > "$scratch/TRIED"
    if ! aws s3 cp "$scratch/TRIED" "$to/TRIED" --only-show-errors; then
      echo "sync: cannot write to $to, where results are kept; the pod's role needs s3:PutObject" >&2
      exit 1
    fi
  else
    mkdir -p "$to"
    date -u > "$to/TRIED"
  fi
  echo "sync: $to can be written to"
  exit 0
fi
from=${1%/} to=${2%/}

copy() {
  if is_bucket "$from" || is_bucket "$to"; then
    aws s3 sync "$from" "$to" --only-show-errors --exclude "$mark" --exclude TRIED
  else
    mkdir -p "$to"
    cp -R "$from/." "$to/"
  fi
}

if [ "$mode" = if-complete ] && ! is_complete "$from"; then
  echo "sync: nothing complete at $from; going on without it"
  exit 0
fi
if ! is_bucket "$from" && [ ! -d "$from" ]; then
  echo "sync: $from is no folder" >&2
  exit 1
fi
echo "sync: $from to $to"
copy
if [ "$mode" = mark-complete ]; then
  if is_bucket "$to"; then
    date -u > "$scratch/$mark"
    aws s3 cp "$scratch/$mark" "$to/$mark" --only-show-errors
  else
    date -u > "$to/$mark"
  fi
fi
echo "sync: done"
