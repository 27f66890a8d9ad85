"""Every mutant of a file: mutmut's operators, put to each node of it.

mutmut itself leaves alone what is not in an undecorated function, and with it the rules' limits and every
default of a noun; its operators know no such difference, so they are put to the whole file here.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import libcst as cst
import libcst.matchers as m
from libcst.metadata import CodeRange, MetadataWrapper, ParentNodeProvider, PositionProvider
from mutmut.mutation.mutators import mutation_operators

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "terminal" / "core"
SAID = ROOT / "tests" / "said.txt"
Parents = dict[cst.CSTNode, cst.CSTNode]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one file. The first four, and ``which``, name it wherever its line moves to."""

    file: str
    """Its path in core/."""
    within: str
    """The function or class around it, ``Class.method``; the name assigned to, for a line of the module itself."""
    before: str
    """The lines that change, without what stands around them."""
    after: str
    which: int
    """1, or more where a function has the same change in equal lines."""
    in_function: bool
    """Else what it changes is done when the module is imported."""
    lines: range
    """Those of its statement: no test that runs none of them can tell."""
    statement: str
    """The statement of the module that has it, changed."""
    span: range
    """Where that stands in the file, unchanged."""


def mutants(path: Path, wanted: Callable[[str, str], bool] = lambda file, within: True) -> list[Mutant]:
    """All of a file, in its order, or those of the functions that are ``wanted``."""
    text = path.read_text()
    file = file_of(path)
    said = SAID.read_text()
    wrapper = MetadataWrapper(cst.parse_module(text), unsafe_skip_copy=True)
    parents: Parents = wrapper.resolve(ParentNodeProvider)  # type: ignore[assignment]
    places = wrapper.resolve(PositionProvider)
    found: list[Mutant] = []
    seen: Counter[tuple[str, str, str]] = Counter()
    body = wrapper.module.body
    end = text.index(wrapper.module.code_for_node(body[0])) if body else 0
    for top in body:
        original = wrapper.module.code_for_node(top)
        span = range(end, end := end + len(original))
        if _is_type(top):
            continue
        texts = {original}
        for node in _nodes(top):
            within = _within(node, parents)
            if not wanted(file, within) or (isinstance(node, cst.SimpleString) and _is_wording(node, said)):
                continue
            for changed in _changes(node):
                statement = wrapper.module.code_for_node(top.deep_replace(node, changed))  # type: ignore[arg-type]
                if statement in texts or not _compiles(statement):
                    continue
                texts.add(statement)
                before, after = _difference(original, statement)
                seen[within, before, after] += 1
                found.append(
                    Mutant(
                        file,
                        within,
                        before,
                        after,
                        seen[within, before, after],
                        _in_function(node, parents),
                        _lines(node, parents, places),  # type: ignore[arg-type]
                        statement,
                        span,
                    )
                )
    return found


def file_of(path: Path) -> str:
    """What a mutant calls its file: the path in core/."""
    return path.relative_to(CORE).as_posix() if path.is_relative_to(CORE) else path.name


def module_of(file: str) -> str:
    """The name that a file of core/ is imported by."""
    parts = ("terminal", "core", *file.removesuffix(".py").split("/"))
    return ".".join(parts).removesuffix(".__init__")


def source(mutant: Mutant) -> str:
    """The whole file with it."""
    text = (CORE / mutant.file).read_text()
    return text[: mutant.span.start] + mutant.statement + text[mutant.span.stop :]


def _changes(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    for kind, operator in mutation_operators:
        if isinstance(node, kind):
            yield from operator(node)


def _nodes(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """What runs, in order: annotations are mypy's, and what an assertion says of its own failure is said to nobody."""
    if isinstance(node, cst.Annotation):
        return
    yield node
    for child in [node.test] if isinstance(node, cst.Assert) else node.children:
        yield from _nodes(child)


def _is_type(top: cst.CSTNode) -> bool:
    """An import, or a name for a type: these are mypy's too."""
    alias = (
        m.Subscript(value=m.Name("Literal")) | m.Call(func=m.Name("NewType")) | m.BinaryOperation(operator=m.BitOr())
    )
    line = m.SimpleStatementLine(body=[m.Import() | m.ImportFrom() | m.Assign(value=alias)])
    return m.matches(top, line)


def _is_wording(node: cst.SimpleString, said: str) -> bool:
    """A sentence for people: tests/said.txt holds every one of them, word for word."""
    value = node.evaluated_value
    return isinstance(value, str) and " " in value and value in said


def _difference(before: str, after: str) -> tuple[str, str]:
    """The lines of each that the other has not, each as one line."""
    old, new = before.splitlines(), after.splitlines()
    while old and new and old[0] == new[0]:
        del old[0], new[0]
    while old and new and old[-1] == new[-1]:
        del old[-1], new[-1]
    return _one_line(old), _one_line(new)


def _one_line(lines: Sequence[str]) -> str:
    return " ".join(" ".join(lines).split())


def _compiles(statement: str) -> bool:
    try:
        compile(statement, "mutant", "exec", dont_inherit=True)
    except SyntaxError:
        return False
    return True


def _above(node: cst.CSTNode, parents: Parents) -> Iterator[cst.CSTNode]:
    """The node and all around it, from the inside."""
    while not isinstance(node, cst.Module):
        yield node
        node = parents[node]


def _within(node: cst.CSTNode, parents: Parents) -> str:
    names = []
    for around in _above(node, parents):
        match around:
            case cst.FunctionDef(name=name) | cst.ClassDef(name=name):
                names.append(name.value)
            case (
                cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=value))])
                | cst.AnnAssign(target=cst.Name(value=value))
            ) if m.matches(parents[parents[around]], m.Module()):
                names.append(value)
    return ".".join(reversed(names))


def _in_function(node: cst.CSTNode, parents: Parents) -> bool:
    """In its body or its defaults, not in its decorators."""
    decorated = any(isinstance(around, cst.Decorator) for around in _above(node, parents))
    return not decorated and any(isinstance(around, cst.FunctionDef) for around in _above(node, parents))


def _lines(node: cst.CSTNode, parents: Parents, places: dict[cst.CSTNode, CodeRange]) -> range:
    """Of the smallest statement around it; of a compound one, unless it is that itself, its head."""
    for around in _above(node, parents):
        if isinstance(around, cst.BaseSmallStatement | cst.Match):
            return range(places[around].start.line, places[around].end.line + 1)
        if isinstance(around, cst.MatchCase | cst.If | cst.While | cst.For | cst.With | cst.Try | cst.ExceptHandler):
            first = places[around].start.line
            return range(first, max(first + 1, places[around.body].start.line))
        if isinstance(around, cst.FunctionDef):  # a default, a decorator
            return range(places[around.body].start.line, places[around.body].end.line + 1)
    return range(0)
