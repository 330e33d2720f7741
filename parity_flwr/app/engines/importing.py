"""Import from one directory for a while, and leave the interpreter as it was."""

from __future__ import annotations

import importlib
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

_OURS = frozenset({"flwr", "parity_flwr"})


def reserved(package: str) -> bool:
    """Return whether an app's package of that name would hide what Flower itself needs."""
    return package in _OURS or package in sys.stdlib_module_names


@contextmanager
def importing_from(folder: Path, roots: set[str]) -> Iterator[None]:
    """Put ``folder`` first on the path, and forget at the end what was imported from it.

    Modules already loaded under the names that the folder defines step aside meanwhile:
    ``roots`` in any case, others unless they are installed. No bytecode is written into
    the folder.
    """
    names = roots | {name for name in _top_level_names(folder) if not _installed(name)}
    aside = _pop_modules(names)
    path, writes_no_bytecode = list(sys.path), sys.dont_write_bytecode
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = True
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:], sys.dont_write_bytecode = path, writes_no_bytecode
        _pop_modules(names)
        sys.modules.update(aside)


def _top_level_names(folder: Path) -> set[str]:
    modules = {path.stem for path in folder.glob("*.py")}
    return modules | {path.parent.name for path in folder.glob("*/__init__.py")}


def _installed(name: str) -> bool:
    """Return whether a loaded module belongs to Python or to an installed distribution."""
    module = sys.modules.get(name)
    origin = getattr(getattr(module, "__spec__", None), "origin", None)
    if module is None or origin is None:
        return False
    if origin in {"built-in", "frozen"}:
        return True
    homes = {sysconfig.get_path(kind) for kind in ("stdlib", "purelib", "platlib")}
    return any(Path(origin).is_relative_to(home) for home in homes if home)


def _pop_modules(roots: set[str]) -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name.partition(".")[0] in roots]
    return {name: sys.modules.pop(name) for name in names}
