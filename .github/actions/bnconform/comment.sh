#!/usr/bin/env bash
# Comments: one comment on the pull request, which is updated.
set -euo pipefail

marker="<!-- bnconform -->"
text="$(printf '%s\n' "$marker"; head -c 60000 "$BODY")"
comments="repos/$REPOSITORY/issues/$NUMBER/comments"
own="$(gh api --paginate "$comments" --jq ".[] | select(.body | startswith(\"$marker\")) | .id" | head -n 1)"
if [ -n "$own" ]; then
    gh api --method PATCH "repos/$REPOSITORY/issues/comments/$own" -f "body=$text" > /dev/null
else
    gh api --method POST "$comments" -f "body=$text" > /dev/null
fi
