#!/bin/bash
# Brings one revision of a model of the Hugging Face hub to a folder: fetch.sh ORG/NAME REVISION FOLDER
# By Foretoken's own client where it is, else by huggingface_hub, which vLLM's images have.
set -euo pipefail

if [ $# -ne 3 ]; then
  echo "usage: fetch.sh ORG/NAME REVISION FOLDER" >&2
  exit 2
fi
model=$1 revision=$2 folder=$3
if command -v foretoken > /dev/null; then
  snapshot=$(foretoken pull "$model" --revision "$revision")
  mkdir -p "$(dirname "$folder")"
  ln -sfn "$snapshot" "$folder"
else
  python3 - "$model" "$revision" "$folder" << 'END'
import sys

from huggingface_hub import snapshot_download

model, revision, folder = sys.argv[1:]
# Weights in other formats than the one that is read would double the copy.
other = ["*.pth", "*.gguf", "*.onnx", "*.msgpack", "*.h5", "original/*", "onnx/*"]
snapshot_download(model, revision=revision, local_dir=folder, ignore_patterns=other)
END
fi
echo "fetch: $model at $revision is at $folder"
