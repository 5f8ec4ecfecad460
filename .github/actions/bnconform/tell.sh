#!/usr/bin/env bash
# Tells: reports and a badge in $FOLDER, annotations, the summary of the job, and what changed against $BASELINE.
set -euo pipefail

results="$FOLDER/results.jsonl"
bnconform report "$results" --format html -o "$FOLDER/report.html"
bnconform report "$results" --format ctrf -o "$FOLDER/ctrf.json"
bnconform report "$results" --format badge-json -o "$FOLDER/badge.json"
bnconform report "$results" --format badge-svg -o "$FOLDER/badge.svg"
bnconform report "$results" --format annotations -o -

changes="$FOLDER/changes.md"
common=()
[ "${COMMON:-false}" != true ] || common=(--common)
if [ -n "${BASELINE:-}" ]; then
    status=0
    bnconform compare "$BASELINE" "$results" "${common[@]}" --format markdown -o "$changes" || status=$?
    [ "$status" -le 1 ] || exit "$status"
    bnconform compare "$BASELINE" "$results" "${common[@]}" --format html -o "$FOLDER/changes.html" || true
    echo "exit-code=$status" >> "$GITHUB_OUTPUT"
else
    bnconform report "$results" --format markdown -o "$changes"
fi
echo "changes=$changes" >> "$GITHUB_OUTPUT"

{
    cat "$changes"
    if [ -n "${BASELINE:-}" ]; then
        printf '\n\n<details><summary>The whole matrix</summary>\n\n'
        bnconform report "$results" --format markdown -o -
        printf '\n\n</details>\n'
    fi
} | head -c 900000 >> "$GITHUB_STEP_SUMMARY"
