"""Which modules a submission imports, and whether an environment has them."""

import ast
import json
import sys
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from my_submission.errors import DemixError
from submitting.environment import ask_python

_CAUGHT = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})

_FIND = """
import importlib, json, sys
from importlib.machinery import PathFinder

def is_there(name):
    path, found = None, ""
    for part in name.split("."):
        found = f"{found}.{part}" if found else part
        spec = PathFinder.find_spec(found, path)
        if spec is None:
            # Some packages make their modules when they are imported.
            return path is not None and imports(name)
        path = spec.submodule_search_locations or []
    return True

def imports(name):
    try:
        importlib.import_module(name)
    except Exception:  # whatever a package does when it is imported, the module is not there
        return False
    return True

print(json.dumps([name for name in json.load(sys.stdin) if not is_there(name)]))
"""


@dataclass(frozen=True)
class Import:
    """An import.

    Attributes:
        module: With dots.
        file: Where it stands.
        line: Of the file, from 1.
        is_optional: Whether the program goes on without it.
    """

    module: str
    file: Path
    line: int
    is_optional: bool

    def __str__(self) -> str:
        return f"{self.module} ({self.file}:{self.line})"


def own_modules(paths: Iterable[str]) -> set[str]:
    """Give the names that a repository's modules and packages begin with.

    Args:
        paths: All that is committed; what else lies there is not the grader's.
    """
    python = (PurePosixPath(path) for path in paths if path.endswith(".py"))
    return {path.parts[0] if len(path.parts) > 1 else path.stem for path in python}


def imports_of(root: Path, files: Iterable[Path], own: Container[str]) -> list[Import]:
    """List what files import that is neither Python's own nor a module of the repository.

    Imports that only a type checker sees are left out.

    Args:
        root: The repository's top folder.
        files: Python files, from there.
        own: The repository's modules, see `own_modules`.

    Raises:
        DemixError: A file is no Python.
    """
    found = []
    for file in files:
        try:
            tree = ast.parse((root / file).read_bytes())
        except (OSError, ValueError, SyntaxError) as error:
            raise DemixError(f"{file} cannot be read as Python: {error}") from error
        for module, line, is_optional in _walk(tree.body, is_optional=False):
            package = module.partition(".")[0]
            if package not in own and package not in sys.stdlib_module_names:
                found.append(Import(module, file, line, is_optional))
    return found


def _walk(nodes: Iterable[ast.AST], *, is_optional: bool) -> Iterator[tuple[str, int, bool]]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno, is_optional) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if not node.level and node.module:
                yield node.module, node.lineno, is_optional
        elif isinstance(node, ast.Try):
            catches = any(_catches(handler.type) for handler in node.handlers)
            yield from _walk(node.body, is_optional=is_optional or catches)
            rest = [*node.handlers, *node.orelse, *node.finalbody]
            yield from _walk(rest, is_optional=is_optional)
        elif isinstance(node, ast.With):
            catches = any(_suppresses(item.context_expr) for item in node.items)
            yield from _walk(node.body, is_optional=is_optional or catches)
        elif isinstance(node, ast.If) and _is_for_types(node.test):
            yield from _walk(node.orelse, is_optional=is_optional)
        else:
            yield from _walk(ast.iter_child_nodes(node), is_optional=is_optional)


def _names(expression: ast.expr) -> set[str]:
    nodes = list(ast.walk(expression))
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    return names | {node.attr for node in nodes if isinstance(node, ast.Attribute)}


def _catches(handled: ast.expr | None) -> bool:
    return handled is None or bool(_names(handled) & _CAUGHT)


def _suppresses(context: ast.expr) -> bool:
    return (
        isinstance(context, ast.Call)
        and "suppress" in _names(context.func)
        and any(_names(argument) & _CAUGHT for argument in context.args)
    )


def _is_for_types(test: ast.expr) -> bool:
    return "TYPE_CHECKING" in _names(test)


def missing_modules(python: Path, modules: Iterable[str]) -> set[str]:
    """Give those modules that an environment does not have.

    Nothing is imported to find out, except where a package may make a module itself.

    Args:
        python: The environment's interpreter.
        modules: With dots.

    Raises:
        DemixError: The interpreter failed.
    """
    missing: list[str] = json.loads(ask_python(python, _FIND, sorted(set(modules))))
    return set(missing)
