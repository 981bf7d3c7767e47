"""A contract that import-linter has none of: `a.b._c` belongs to `a.b`, and only modules within `a.b` may import it."""

import grimp
from importlinter import Contract, ContractCheck, output


class PrivateModules(Contract):
    """Every module whose name begins with an underscore, in all packages of ours."""

    type_name = "private_modules"

    def check(self, graph: grimp.ImportGraph, verbose: bool) -> ContractCheck:
        broken = [
            (importer, module)
            for module in sorted(graph.modules)
            if (owner := owner_of(module)) is not None and not graph.is_module_squashed(module)
            for importer in sorted(graph.find_modules_that_directly_import(module))
            if importer != owner and not importer.startswith(f"{owner}.")
        ]
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for importer, module in check.metadata["broken"]:
            output.print_error(f"{importer} imports {module}, which is {owner_of(module)}'s own", bold=False)


def owner_of(module: str) -> str | None:
    """The package a private module belongs to; None for a public one."""
    parts = module.split(".")
    private = next((place for place, part in enumerate(parts) if part.startswith("_")), None)
    return ".".join(parts[:private]) if private else None
