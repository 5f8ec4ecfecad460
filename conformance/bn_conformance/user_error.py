"""The base of every error that is a person's to mend, not the suite's."""

from __future__ import annotations


class UserError(Exception):
    """What was asked for cannot be done. The message is one line that says why and what to do instead.

    The command line prints the message and exits with 2.
    """
