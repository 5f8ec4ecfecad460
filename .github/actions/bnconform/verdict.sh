#!/usr/bin/env bash
# The verdict of the job. With a baseline what got worse fails it, and failures that were there before do not.
set -euo pipefail

judged="${JUDGED:-}"
if [ -z "$judged" ]; then
    echo "Nothing was judged: see the steps above."
    exit 3
fi
if [ "$judged" -gt 1 ] || [ -z "${BASELINE:-}" ]; then
    exit "$judged"
fi
if [ -z "${COMPARED:-}" ]; then
    echo "The comparison with $BASELINE failed: see the steps above."
    exit 3
fi
exit "$COMPARED"
