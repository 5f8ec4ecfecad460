"""Exit codes of the command line. The end record of a results file holds the one of its run."""

from __future__ import annotations

CONFORMS = 0
"""All that was judged conforms, known faults aside."""

FAILS = 1
"""Something does not conform, or an entry of the known faults is stale."""

USAGE = 2
"""The command line asks for something that does not exist or makes no sense; nothing was judged."""

EXIT_NOT_JUDGED = 3
"""Nothing, or less than was planned, was judged."""

INTERRUPTED = 130
"""The run was interrupted (128 + SIGINT, as shells have it)."""
