"""The tree itself: what is packed, what may import what, and what must not be in it."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.support.docstrings import UndocumentedNames, definitions

TREE = Path(__file__).parents[1]
PROJECT = tomllib.loads((TREE / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES: list[str] = PROJECT["tool"]["setuptools"]["packages"]
CABLES = {"escpos", "gpiozero", "luma", "spidev", "lgpio", "serial", "evdev", "amqtt"}
LONGEST = 400


def files() -> list[Path]:
    """Everything that is, or is about to be, in the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=TREE, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [TREE / name for name in listed.stdout.split("\0") if name and (TREE / name).is_file()]


def sources() -> list[Path]:
    return [path for path in files() if path.suffix == ".py"]


def imported(path: Path) -> Iterator[str]:
    """The first parts of what a file imports, relative imports left out."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def named_types(tree: ast.Module) -> Iterator[str]:
    """Of the classes of a file, whatever they stand in, and of the types that it gives a name to."""
    yield from (node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    for node in tree.body:
        for target in node.targets if isinstance(node, ast.Assign) else ():
            if isinstance(target, ast.Name) and re.fullmatch(r"[A-Z]\w*[a-z]\w*", target.id):
                yield target.id


def test_every_package_is_named_in_pyproject() -> None:
    found = {
        path.parent.relative_to(TREE).as_posix().replace("/", ".")
        for path in sources()
        if path.name == "__init__.py" and path.relative_to(TREE).parts[0] in ("terminal", "broker", "drivers")
    }
    assert sorted(PACKAGES) == sorted(found)
    assert len(PACKAGES) == len(set(PACKAGES))


def test_every_folder_with_python_in_it_is_a_package() -> None:
    roots = ("terminal", "broker", "drivers")
    folders = {path.parent for path in sources() if path.relative_to(TREE).parts[0] in roots}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_tests_stay_flat_and_hide_no_package() -> None:
    assert [path for path in files() if path.name == "__init__.py" and "tests" in path.parts] == []
    collected = [path for path in sources() if path.name.startswith("test_")]
    rooms = {TREE / "tests" / room for room in ("", "browser", "chaos", "cluster", "integrations", "package")}
    assert {path.parent for path in collected} <= rooms


def test_no_file_imports_a_file_of_tests() -> None:
    """What several share stands in tests/support/, or in the room whose files share it."""
    imports = re.compile(r"^ *(?:from|import) tests\b[^#\n]*\btest_\w+", re.MULTILINE)
    found = [(path.name, line) for path in sources() for line in imports.findall(path.read_text(encoding="utf-8"))]
    assert found == []


def test_what_tests_share_has_no_tests() -> None:
    shared = [path for path in sources() if path.parent == TREE / "tests/support"]
    assert shared
    found = [
        f"{path.name}: {node.name}"
        for path in shared
        for node in ast.parse(path.read_bytes()).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]
    assert found == []


def test_a_test_that_sleeps_says_why() -> None:
    """What tells nobody that it comes is waited for by tests/support/eventually.py; an event is awaited."""
    found = []
    for path in sources():
        if path.parent not in (TREE / "tests", TREE / "tests/support") or path.name == "eventually.py":
            continue
        if "sleep(" not in (text := path.read_text(encoding="utf-8")):
            continue
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.Call) or ast.unparse(node.func) not in ("asyncio.sleep", "time.sleep"):
                continue
            if ast.unparse(node.args[0]) != "0" and "  # " not in text.splitlines()[node.lineno - 1]:
                found.append(f"{path.relative_to(TREE)}:{node.lineno}")
    assert found == []


def test_the_wheel_holds_what_the_tree_holds(tmp_path: Path) -> None:
    copy = tmp_path / "tree"
    for path in files():
        target = copy / path.relative_to(TREE)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    script = f"from setuptools.build_meta import build_wheel; print(build_wheel({str(tmp_path)!r}))"
    built = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], cwd=copy, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    with zipfile.ZipFile(tmp_path / built.stdout.split()[-1]) as wheel:
        packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    roots = ("terminal", "broker", "drivers")
    held = {name.as_posix() for path in files() if (name := path.relative_to(TREE)).parts[0] in roots}
    assert packed == held


# Written in pieces, so that this file does not hold what it looks for.
STRANGE = [
    *("/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/", "/fa" + "rm/", ".lib" + "rary"),
    *("pypi" + ".org", "python" + "hosted", "--index" + "-url", "--find" + "-links", "--trusted" + "-host"),
]  # fmt: skip


def test_no_path_of_a_machine_and_no_registry_is_in_the_tree() -> None:
    found = [
        f"{path.relative_to(TREE)}: {word}"
        for path in files()
        for word in STRANGE
        if word.encode() in path.read_bytes()
    ]
    assert found == []


def test_every_page_that_the_code_cites_is_in_the_tree() -> None:
    cited = {
        (path.relative_to(TREE).as_posix(), page)
        for path in sources()
        if path.relative_to(TREE).parts[0] in ("terminal", "broker", "drivers")
        for page in re.findall(r"[\w./-]+\.md\b", path.read_text(encoding="utf-8"))
    }
    assert len(cited) > 5
    begins = (TREE, TREE / "deploy")  # the second: links in the texts of alerts, which stand on a page there
    assert [(name, page) for name, page in cited if not any((at / page).is_file() for at in begins)] == []


def test_every_link_of_a_page_leads_to_a_file() -> None:
    linked = [
        (path.relative_to(TREE).as_posix(), path.parent / target)
        for path in files()
        if path.suffix == ".md"
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^):]*)?\)", path.read_text(encoding="utf-8"))
    ]
    assert len(linked) > 20
    assert [(name, target.name) for name, target in linked if not target.exists()] == []


def test_a_file_that_a_page_or_the_code_names_is_in_the_tree() -> None:
    ours = [path.relative_to(TREE).as_posix() for path in files()]
    named = {
        (path.relative_to(TREE).as_posix(), name)
        for path in files()
        if path.suffix == ".md" or path.relative_to(TREE).parts[0] in ("terminal", "broker", "drivers")
        if path.suffix in (".md", ".py")
        for name in re.findall(r"(?<![\w/.*<>-])[\w/]+\.py\b", path.read_text(encoding="utf-8"))
    }
    assert len(named) > 20
    assert [(name, file) for name, file in named if not any(f"/{our}".endswith(f"/{file}") for our in ours)] == []


def test_a_class_or_a_type_has_a_name_that_no_other_file_has() -> None:
    stands: dict[str, set[str]] = {}
    for path in sources():
        if path.relative_to(TREE).parts[0] in ("terminal", "broker", "drivers"):
            for name in named_types(ast.parse(path.read_bytes())):
                stands.setdefault(name, set()).add(path.relative_to(TREE).as_posix())
    assert len(stands) > 300
    assert {name: paths for name, paths in stands.items() if len(paths) > 1} == {}


def test_a_constant_is_bound_once_in_its_file() -> None:
    """Two rows of two journals once had one name: the later binding would have renamed the earlier one's rows."""
    bound = [
        (str(path.relative_to(TREE)), target.id)
        for path in sources()
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign)
        for whole in node.targets
        for target in (whole.elts if isinstance(whole, ast.Tuple) else [whole])
        if isinstance(target, ast.Name)
    ]
    assert [one for one in dict.fromkeys(bound) if bound.count(one) > 1] == []


def test_no_file_of_python_is_longer_than_one_purpose() -> None:
    lines = {path.relative_to(TREE).as_posix(): path.read_bytes().count(b"\n") for path in sources()}
    assert {name: count for name, count in lines.items() if count > LONGEST} == {}


def test_whatever_is_public_has_a_docstring() -> None:
    """What it takes with its unit, gives and raises; tests/support/docstrings.py says what needs none."""
    roots = ("terminal", "broker", "drivers")
    names = {path.relative_to(TREE).as_posix(): path for path in sources() if path.relative_to(TREE).parts[0] in roots}
    trees = {name: ast.parse(path.read_bytes()) for name, path in names.items()}
    assert sum(len(list(definitions(tree.body))) for tree in trees.values()) > 1000
    assert list(UndocumentedNames(trees)) == []


def test_only_what_repeats_a_documented_method_needs_no_docstring() -> None:
    text = """
class Said(Protocol):
    held: int
    def say(self) -> None: "Say it."
    def bare(self) -> None: ...
class Whole:
    "It has all that Said has."
    def __init__(self) -> None: self.held = 1
    def say(self) -> None: ...
    def bare(self) -> None: ...
class Part:
    "It lacks what Said has."
    def say(self) -> None: ...
class Heir(Whole):
    def more(self) -> None: ...
def _own() -> None: ...
if True:
    def alone() -> None:
        def nested() -> None: ...
"""
    found = [name.partition(" ")[2] for name in UndocumentedNames({"said": ast.parse(text)})]
    assert found == ["Said", "Said.bare", "Whole.bare", "Part.say", "Heir", "Heir.more", "alone"]


def test_the_design_draws_the_floors_that_are_held() -> None:
    rules = PROJECT["tool"]["importlinter"]["contracts"]
    (held,) = [rule["layers"] for rule in rules if rule.get("containers") == ["terminal"]]
    page = (TREE / "DESIGN.md").read_text(encoding="utf-8").partition("\n## The floors\n")[2]
    assert [re.split(r" {2,}", line)[0] for line in page.split("```")[1].strip().splitlines()] == held


def test_the_core_stands_on_the_standard_library_alone() -> None:
    core = [path for path in sources() if TREE / "terminal/core" in path.parents]
    assert core
    strange = {(path.name, name) for path in core for name in imported(path)} - {
        (path.name, name) for path in core for name in (*sys.stdlib_module_names, "terminal")
    }
    assert strange == set()


def test_the_core_reads_no_clock_socket_or_file_and_never_waits() -> None:
    doing = {"asyncio", "os", "pathlib", "random", "secrets", "socket", "sqlite3", "subprocess", "threading", "time"}
    for path in (path for path in sources() if TREE / "terminal/core" in path.parents):
        assert doing.isdisjoint(imported(path)), path
        waits = [
            node
            for node in ast.walk(ast.parse(path.read_bytes()))
            if isinstance(node, ast.AsyncFunctionDef | ast.Await)
        ]
        assert waits == [], path


def test_what_has_a_cable_is_imported_in_drivers_and_broker_alone() -> None:
    found = {
        (path.relative_to(TREE).as_posix(), name)
        for path in sources()
        if path.relative_to(TREE).parts[0] == "terminal"
        for name in CABLES.intersection(imported(path))
    }
    assert found == set()


# --- what we stand on ---------------------------------------------------------------------------------------------


def pins(lock: str) -> dict[str, str]:
    """Version by name, after checking that each has a hash."""
    text = (TREE / lock).read_text(encoding="utf-8")
    entries = re.split(r"\n(?=\S)", re.sub(r"(?m)^\s*#.*\n", "", text).strip())
    found = {}
    for entry in entries:
        name, version = re.match(r"([a-z0-9.-]+)==(\S+)", entry).groups()  # type: ignore[union-attr]
        assert "--hash=sha256:" in entry, name
        found[name] = version
    return found


LOCKS = {
    "requirements.lock": (),
    "requirements-dev.lock": ("dev",),
    "requirements-pi.lock": ("pi",),
    "requirements-bench.lock": ("bench",),
}
"""Each with the extras that it has beside what the product needs."""


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_has_everything_that_the_project_asks_for(lock: str) -> None:
    pinned, extras = pins(lock), PROJECT["project"]["optional-dependencies"]
    for text in (*PROJECT["project"]["dependencies"], *(text for extra in LOCKS[lock] for text in extras[extra])):
        asked = Requirement(text)
        name = re.sub(r"[-_.]+", "-", asked.name)
        assert asked.specifier.contains(pinned[name]), text


@pytest.mark.parametrize(
    ("lock", "more"), [("requirements.lock", set()), ("requirements-pi.lock", {"lgpio", "spidev"})]
)
def test_a_lane_runs_the_versions_that_were_tested(lock: str, more: set[str]) -> None:
    tested, shipped = pins("requirements-dev.lock"), pins(lock)
    assert {name: version for name, version in shipped.items() if tested.get(name, version) != version} == {}
    assert set(shipped) - set(tested) == more


def test_what_only_developers_need_is_not_fetched_for_the_product() -> None:
    developers = {Requirement(text).name for text in PROJECT["project"]["optional-dependencies"]["dev"]}
    assert developers & pins("requirements.lock").keys() == {
        "psutil",
        "setuptools",
    }  # amqtt stands on the one, the installation on the other
    wanted = subprocess.run(
        ["make", "--dry-run", "--always-make", "demo"], cwd=TREE, capture_output=True, text=True, check=True
    )
    assert "-r requirements.lock" in wanted.stdout
    assert "requirements-dev.lock" not in wanted.stdout


def test_everything_that_is_imported_is_asked_for() -> None:
    asked = {re.sub(r"[-_.]+", "_", Requirement(text).name) for text in PROJECT["project"]["dependencies"]}
    extras = PROJECT["project"]["optional-dependencies"]
    more = (text for extra in ("pi", "printer", "receipts", "tools", "postgres") for text in extras[extra])
    asked |= {re.sub(r"[-_.]+", "_", Requirement(text).name) for text in more}
    names = {
        "pillow": "PIL",
        "pyserial": "serial",
        "paho_mqtt": "paho",
        "python_escpos": "escpos",
        "luma_core": "luma",
        "zxing_cpp": "zxingcpp",
        "argon2_cffi": "argon2",
        "fpdf2": "fpdf",
    }
    known = {names.get(name, name) for name in asked} | {"terminal", "broker", "drivers", *sys.stdlib_module_names}
    found = {
        name
        for path in sources()
        if path.relative_to(TREE).parts[0] in ("terminal", "broker", "drivers")
        for name in imported(path)
    }
    assert found - known == set()
