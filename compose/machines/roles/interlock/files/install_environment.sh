#!/bin/sh
# Makes an environment at $2 from the wheels in /opt/interlock/$1.tar, without a network, each wheel checked by its hash.
# The environment in use stays as it is, for going back; older ones are removed.
set -eu
name=$1 target=$2
parts=$(mktemp -d)
trap 'rm -rf "$parts"' EXIT

tar -xf "/opt/interlock/$name.tar" -C "$parts" --no-same-owner
rm -rf "$target"
/usr/bin/python3 -m venv --without-pip "$target"
# pip runs from its own wheel. Byte code is compiled now: services may write nothing here.
pip="$target/bin/python $(echo "$parts"/wheels/pip-*.whl)/pip"
$pip install --quiet --no-index --no-cache-dir --no-deps --no-compile \
    --find-links "$parts/wheels" --require-hashes --requirement "$parts/requirements.lock"
$pip install --quiet --no-index --no-cache-dir --no-deps --no-compile "$parts"/own/*.whl
$pip check
"$target/bin/python" -m compileall -q -j 0 "$target/lib"

used=$(readlink "/opt/interlock/$name" || true)
for each in "/opt/interlock/$name"-*; do
    if [ "$each" != "$target" ] && [ "$each" != "$used" ]; then rm -rf "$each"; fi
done
touch "$target/installed"
