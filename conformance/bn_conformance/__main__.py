"""`python -m bn_conformance` is the command `bnconform`."""

from bn_conformance.cli import main

main(prog_name="bnconform")
