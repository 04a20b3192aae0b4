#!/bin/sh
# What 'make demo' runs: the main job on the example. Shows every command before it runs it.
set -eu
command="$1"
cd "$(dirname "$0")/.."

step() {
    printf '\n\033[1m%s\033[0m\n' "$1"
    shift
    printf '$ threathunting'
    printf ' %s' "$@"
    printf '\n'
    "$command" "$@"
}

step "The intel: what is looked for" intel check examples/intel.jsonl
step "The hunt: Zeek's logs of a small intrusion, every conversation that touched the intel" \
    hunt examples/zeek --intel examples/intel.jsonl --out demo-out

printf '\n\033[1m%s\033[0m\n' "The evidence: a beacon's whole conversation, the indicator on every record"
printf '$ ls demo-out\n'
ls demo-out
printf '$ grep gate.php demo-out/http-investigation.log | head -n 1\n'
grep gate.php demo-out/http-investigation.log | head -n 1
if command -v zeek >/dev/null 2>&1 || command -v suricata >/dev/null 2>&1; then
    step "The same from the capture itself, in ECS" \
        hunt examples/traffic.pcap --intel examples/intel.jsonl --out demo-out/from-capture --format ecs
fi
