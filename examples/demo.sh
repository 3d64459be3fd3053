#!/usr/bin/env bash
# The main job, start to end, on a node that needs no server beside it. Leaves nothing running and nothing behind.
# MOGBOX is the binary; CARGO_TARGET_DIR is where compiled examples go.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${MOGBOX:?run 'make demo'}" "${CARGO_TARGET_DIR:?run 'make demo'}"
export CARGO_TARGET_DIR
unset MOGBOX_TENANT MOGBOX_REDIS MOGBOX_LOG
components=$CARGO_TARGET_DIR/guests/components

data=$(mktemp -d)
node=

stop() {
  if [ -n "$node" ] && kill -TERM "$node" 2>/dev/null; then wait "$node" || true; fi
  rm -rf "$data"
}
trap stop EXIT

title() { printf '\n\033[1m%s\033[0m\n' "$*"; }
run() {
  printf '\033[2m$ mogbox %s\033[0m\n' "$*"
  "$MOGBOX" "$@"
}
expect() { grep -qF -- "$1" "$data/said" || { echo "expected to see: $1" >&2; exit 1; }; }

title "Build the examples into components"
run build examples --output "$components"

title "Start a node on the embedded store"
"$MOGBOX" serve --listen 127.0.0.1:0 --data "$data/store" >"$data/ready" 2>"$data/log" &
node=$!
MOGBOX_SERVER=
for _ in $(seq 300); do
  MOGBOX_SERVER=$(grep -o 'http://[0-9.:]*' "$data/ready" || true)
  if [ -n "$MOGBOX_SERVER" ] || ! kill -0 "$node" 2>/dev/null; then break; fi
  sleep 0.1
done
if [ -z "$MOGBOX_SERVER" ]; then
  echo "the node does not say where it listens; its log:" >&2
  cat "$data/log" >&2
  exit 1
fi
export MOGBOX_SERVER
cat "$data/ready"

title "Push them"
for name in add checkpoints family metadata progress; do run push "$components/example-$name.wasm" --name "$name"; done

title "Who launched it? Metadata given at submission, read by the running task"
run submit demo.get_metadata --metadata user_id=dol --wait | tee "$data/said"
expect "This task was launched by @dol"

title "Metadata changed by the running task, read from outside"
run submit demo.set_metadata dkl --metadata user_id=dol | tee "$data/said"
id=$(tail -n 1 "$data/said")
run wait "$id"
run metadata "$id" | tee "$data/said"
expect "dkl"

title "Progress"
run submit example.progress 20 100 --wait

title "A task that pauses and goes on from its checkpoint"
run submit example.checkpoints 3 200 --wait | tee "$data/said"
expect "[1,2,3]"

title "A parent that waits for its children"
run submit example.family 5 --wait | tee "$data/said"
expect "45.0"

title "Stop the node"
kill -TERM "$node"
wait "$node"
node=
echo "done"
