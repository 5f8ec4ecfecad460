#!/usr/bin/env bash
# Judges: writes $FOLDER/results.jsonl, and passes on what bnconform run said.
set -uo pipefail

mkdir -p "$FOLDER"
results="$FOLDER/results.jsonl"
rm -f "$results"
arguments=()
for name in ${IMPLEMENTATION:-}; do arguments+=(-i "$name"); done
[ -z "${CASE:-}" ] || arguments+=(--case "$CASE")
[ -z "${KNOWN_FAULTS:-}" ] || arguments+=(--known-faults "$KNOWN_FAULTS")
read -r -a more <<< "${ARGUMENTS:-}"

bnconform run "${arguments[@]}" "${more[@]}" --results "$results"
status=$?
echo "exit-code=$status" >> "$GITHUB_OUTPUT"
[ ! -s "$results" ] || echo "results=$results" >> "$GITHUB_OUTPUT"
exit 0
