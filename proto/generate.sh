#!/bin/sh
# Turns proto/ into C with protoc-c. The only way the generated files change:
#
#   proto/generate.sh            writes Sources/CSkeinProto
#   proto/generate.sh FOLDER     writes FOLDER instead, in the same layout, to compare
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/../Sources/CSkeinProto}
command -v protoc-c >/dev/null || {
    echo "proto/generate.sh: protoc-c is missing (apt install protobuf-c-compiler)" >&2
    exit 1
}
mkdir -p "$out/include/skein/v1" "$out/skein/v1"
cd "$here"
protoc-c --c_out="$out" skein/v1/*.proto
mv "$out"/skein/v1/*.pb-c.h "$out/include/skein/v1/"
