"""What a package shows: its `__init__` is its face, and says so completely."""

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = ("schemas", "gateway", "workers", "api", "ops")
FACES = sorted(path for top in OURS for path in (ROOT / top).rglob("__init__.py"))


def shown(path: Path) -> set[str]:
    """Public names that a package's `__init__` defines, or takes from our own modules. What it needs of others is not shown."""
    names: list[str] = []
    tree = ast.parse(path.read_text("utf-8"))
    for node in tree.body:
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), body=later) if _loads_later(tree):
                names += [alias.name for part in later if isinstance(part, ast.ImportFrom) for alias in part.names]
            case ast.ImportFrom(module=module, names=imported) if module and module.split(".")[0] in OURS:
                names += [alias.asname or alias.name for alias in imported]
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.append(name)
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                names.append(name)
            case _:
                pass
    return {name for name in names if not name.startswith("_")}


def _loads_later(module: ast.Module) -> bool:
    """By `schemas.lazily`, or by a function of its own."""
    defined = {node.name for node in module.body if isinstance(node, ast.FunctionDef)}
    assigned = [target for node in module.body if isinstance(node, ast.Assign) for target in node.targets]
    return "__getattr__" in defined | {target.id for target in assigned if isinstance(target, ast.Name)}


@pytest.mark.parametrize("path", FACES, ids=lambda path: str(path.parent.relative_to(ROOT)))
def test_a_face_is_complete(path: Path) -> None:
    """`__all__` names just what the package shows; and a package says what it is for."""
    package = importlib.import_module(".".join(path.parent.relative_to(ROOT).parts))
    assert package.__doc__, f"{path.relative_to(ROOT)} does not say what the package is for"
    assert set(getattr(package, "__all__", [])) == shown(path), (
        f"{path.relative_to(ROOT)}: __all__ is not what it shows"
    )
    assert [name for name in getattr(package, "__all__", []) if not hasattr(package, name)] == []
