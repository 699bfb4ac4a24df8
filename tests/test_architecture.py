"""The layers of the package: every import counted, those inside functions and for type checkers too."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import opsin

ROOT = Path(opsin.__file__).parent
AT_THE_ROOT = {"__init__", "__main__", "errors", "version"}

# Top to bottom. A module imports from its own package and from layers below, never from beside or above.
LAYERS = (
    ("cli",),
    ("studies", "lessons", "competitions"),
    ("workflow",),
    ("tasks.ROOM",),
    ("reporting",),
    ("inspection",),
    ("evaluation",),
    ("training", "audit"),
    ("inference",),
    ("runs",),
    ("tasks",),
    ("networks",),
    ("data",),
    ("recipe", "statistics"),
    ("storage", "runtime", "metrics", "scratch"),
    ("errors", "version"),
)
HEIGHT = {name: height for height, names in enumerate(reversed(LAYERS)) for name in names}
# Reading results must stay fast: no torch when these are imported.
WITHOUT_TORCH = ("recipe", "metrics", "statistics", "runs", "evaluation", "reporting", "cli")


@functools.cache
def imports() -> dict[str, set[str]]:
    """Module -> the modules of the package that it imports, wherever in its text."""
    files = {
        ".".join(("opsin", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
        for path in ROOT.rglob("*.py")
    }
    found: dict[str, set[str]] = {}
    for module, path in files.items():
        found[module] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{module} imports relatively"
                if (node.module or "").split(".")[0] == "opsin":
                    full = [f"{node.module}.{name.name}" for name in node.names]
                    found[module] |= {name if name in files else str(node.module) for name in full}
            elif isinstance(node, ast.Import):
                found[module] |= {name.name for name in node.names if name.name.split(".")[0] == "opsin"}
    return found


def place(module: str) -> str:
    """Return the layer's name of a module; each room of a task is one of its own."""
    parts = module.split(".")[1:]
    room = parts[0] == "tasks" and len(parts) > 1 and (ROOT / "tasks" / parts[1]).is_dir()
    return f"tasks.{parts[1]}" if room else parts[0]


def height(layer: str) -> int:
    return HEIGHT["tasks.ROOM" if layer.startswith("tasks.") else layer]


def test_nothing_but_these_lies_at_the_root():
    assert {path.stem for path in ROOT.glob("*.py")} == AT_THE_ROOT
    folders = {path.name for path in ROOT.iterdir() if any(path.glob("**/*.py"))}
    assert folders | {"errors", "version"} == {name.partition(".")[0] for name in HEIGHT}


def test_imports_go_down():
    wrong = []
    for module, needed in imports().items():
        if module in ("opsin", "opsin.__main__"):  # the public names, each imported when it is used
            continue
        own = place(module)
        for other in needed:
            if other == "opsin":
                wrong.append(f"{module} imports the public names; name the module that holds them")
            elif place(other) != own and height(place(other)) >= height(own):
                wrong.append(f"{module} -> {other}")
    assert not wrong, "\n".join(wrong)


def test_imports_go_in_no_circle():
    graph = {module: needed - {"opsin"} for module, needed in imports().items() if module != "opsin"}
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path[path.index(module) :], module))
        if module not in done:
            for other in graph.get(module, ()):
                visit(other, (*path, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def test_results_are_read_without_torch():
    wrong = []
    for layer in WITHOUT_TORCH:
        for path in (ROOT / layer).rglob("*.py"):
            top = ast.parse(path.read_text(encoding="utf-8")).body
            names = {name.name for node in top if isinstance(node, ast.Import) for name in node.names}
            names |= {str(node.module) for node in top if isinstance(node, ast.ImportFrom)}
            wrong += [str(path) for name in names if name.split(".")[0] in ("torch", "torchvision")]
    assert not wrong, wrong


def test_targets_are_asked_and_not_looked_into():
    """The form of targets is known to their containers and to the rooms of the tasks alone."""
    wrong = []
    for path in ROOT.rglob("*.py"):
        relative = path.relative_to(ROOT).as_posix()
        text = path.read_text(encoding="utf-8")
        if relative.startswith(("data/targets/", "tasks/", "metrics/", "scratch/")):
            continue
        wrong += [f"{relative}: {word}" for word in ("dataset.masks", "targets.ndim", "truth.ndim") if word in text]
    assert not wrong, wrong


def test_files_and_functions_stay_short():
    """Files under 400 lines; functions under 60 and 8 arguments, the loop and the flags of commands excepted."""
    wrong = []
    for path in ROOT.rglob("*.py"):
        relative = path.relative_to(ROOT).as_posix()
        text = path.read_text(encoding="utf-8")
        if len(text.splitlines()) > 400:
            wrong.append(f"{relative} has {len(text.splitlines())} lines")
    assert not wrong, wrong
