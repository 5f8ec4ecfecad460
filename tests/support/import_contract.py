"""A contract for import-linter: some packages import no library but those that are listed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, cast

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class LibrariesContract(Contract):
    """Allows a list of libraries, and the standard library, instead of forbidding each framework by name."""

    type_name = "libraries"
    source_modules = fields.ListField(subfield=fields.StringField())
    allowed_libraries = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        others = sorted(set(self._imports_of_others(graph)))
        return ContractCheck(kept=not others, metadata={"others": others})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for module, library in check.metadata["others"]:
            output.print_error(f"{module} imports {library}, which is not in allowed_libraries")
            output.new_line()

    def _imports_of_others(self, graph: ImportGraph) -> Iterator[tuple[str, str]]:
        own = set(cast(Any, self.session_options)["root_packages"])
        allowed = {*own, *sys.stdlib_module_names, *cast(Any, self.allowed_libraries)}
        for package in cast(Any, self.source_modules):
            for module in {package, *graph.find_descendants(package)}:
                for imported in graph.find_modules_directly_imported_by(module):
                    library = imported.partition(".")[0]
                    if library not in allowed:
                        yield module, library
