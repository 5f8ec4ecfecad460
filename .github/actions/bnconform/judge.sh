#!/usr/bin/env bash
# Judges: writes $FOLDER/results.jsonl, and passes on what bnconform run said.
set -uo pipefail

mkdir -p "$FOLDER"
results="$FOLDER/results.jsonl"
rm -f "$results"
arguments=()
# Read, not expanded: mylib.* must not become mylib.py.
read -r -a names <<< "${IMPLEMENTATION:-}"
for name in "${names[@]}"; do arguments+=(-i "$name"); done
read -r -a patterns <<< "${CASE:-}"
for pattern in "${patterns[@]}"; do arguments+=(--case "$pattern"); done
[ -z "${KNOWN_FAULTS:-}" ] || arguments+=(--known-faults "$KNOWN_FAULTS")
read -r -a more <<< "${ARGUMENTS:-}"

bnconform run "${arguments[@]}" "${more[@]}" --results "$results"
status=$?
echo "exit-code=$status" >> "$GITHUB_OUTPUT"
[ ! -s "$results" ] || echo "results=$results" >> "$GITHUB_OUTPUT"
exit 0
