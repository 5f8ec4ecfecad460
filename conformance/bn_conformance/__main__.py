"""`python -m bn_conformance` is the command `bnconform`."""

import sys

if not sys.flags.safe_path:
    # Python puts the current folder first; a file json.py or random.py there would be imported in place of the library.
    del sys.path[0]

from bn_conformance.cli import main

main(prog_name="bnconform")
