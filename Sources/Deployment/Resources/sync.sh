#!/bin/bash
# Copies a folder: sync.sh [--if-complete|--mark-complete] FROM TO. One side may be s3://BUCKET/PREFIX.
#
# A copy that others may find half done is marked when it is whole, by the file COMPLETE:
#   --mark-complete  writes the mark last;
#   --if-complete    copies what is marked; what is not there is no error.
set -euo pipefail

mark=COMPLETE
mode=always
case "${1:-}" in
  --if-complete | --mark-complete) mode=${1#--}; shift ;;
esac
if [ $# -ne 2 ]; then
  echo "usage: sync.sh [--if-complete|--mark-complete] FROM TO" >&2
  exit 2
fi
from=${1%/} to=${2%/}

is_bucket() { [[ $1 == s3://* ]]; }

is_complete() {
  if is_bucket "$1"; then aws s3 ls "$1/$mark" > /dev/null; else [ -e "$1/$mark" ]; fi
}

copy() {
  if is_bucket "$from" || is_bucket "$to"; then
    aws s3 sync "$from" "$to" --only-show-errors --exclude "$mark"
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
    date -u > "${TMPDIR:-/tmp}/$mark"
    aws s3 cp "${TMPDIR:-/tmp}/$mark" "$to/$mark" --only-show-errors
  else
    date -u > "$to/$mark"
  fi
fi
echo "sync: done"
