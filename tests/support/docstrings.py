"""Which public classes, functions and methods lack a docstring, by the syntax of the files alone."""

import ast
from collections.abc import Iterable, Iterator, Mapping

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef


def definitions(body: Iterable[ast.stmt]) -> Iterator[Definition]:
    """What a body defines, also under an ``if`` or a ``try``; not what is nested in a function."""
    for node in body:
        if isinstance(node, Definition):
            yield node
        elif not isinstance(node, ast.Match):
            for block in ("body", "orelse", "handlers", "finalbody"):
                for inner in getattr(node, block, ()):
                    yield from definitions(inner.body if isinstance(inner, ast.ExceptHandler) else [inner])


class UndocumentedNames:
    """``trees`` are parsed files by name. A method needs no docstring of its own if it overrides a documented one, or
    if its class has every member of a Protocol in which the method is documented; nor does a setter or an overload."""

    def __init__(self, trees: Mapping[str, ast.Module]) -> None:
        self._trees = trees
        self._classes = {node.name: node for tree in trees.values() for node in self._all_classes(tree.body)}
        self._protocols = [node for node in self._classes.values() if "Protocol" in self._bases(node)]

    def __iter__(self) -> Iterator[str]:
        for name, tree in self._trees.items():
            yield from (f"{name}:{place}" for place in self._lacking(tree.body, None))

    def _lacking(self, body: list[ast.stmt], owner: ast.ClassDef | None) -> Iterator[str]:
        for node in definitions(body):
            if node.name.startswith("_"):
                continue
            if not ast.get_docstring(node) and not (isinstance(node, Function) and self._is_excused(node, owner)):
                yield f"{node.lineno} {owner.name + '.' if owner else ''}{node.name}"
            if isinstance(node, ast.ClassDef):
                yield from self._lacking(node.body, node)

    def _is_excused(self, method: Function, owner: ast.ClassDef | None) -> bool:
        if any(ast.unparse(mark).endswith((".setter", "overload")) for mark in method.decorator_list):
            return True
        if owner is None:
            return False
        members = self._members(owner)
        elders = self._ancestors(owner) + [p for p in self._protocols if p is not owner and self._members(p) <= members]
        return any(
            other.name == method.name and ast.get_docstring(other) is not None
            for elder in elders
            for other in definitions(elder.body)
        )

    def _all_classes(self, body: list[ast.stmt]) -> Iterator[ast.ClassDef]:
        for node in definitions(body):
            if isinstance(node, ast.ClassDef):
                yield node
                yield from self._all_classes(node.body)

    def _bases(self, node: ast.ClassDef) -> list[str]:
        return [ast.unparse(base).partition("[")[0].rpartition(".")[2] for base in node.bases]

    def _ancestors(self, node: ast.ClassDef) -> list[ast.ClassDef]:
        parents = [self._classes[name] for name in self._bases(node) if name in self._classes]
        return parents + [elder for parent in parents for elder in self._ancestors(parent)]

    def _members(self, node: ast.ClassDef) -> set[str]:
        """Methods, fields and what is assigned to ``self``, those of its bases included."""
        found = set()
        for one in (node, *self._ancestors(node)):
            found |= {inner.name for inner in definitions(one.body)}
            found |= {ast.unparse(field.target) for field in one.body if isinstance(field, ast.AnnAssign)}
            for inner in ast.walk(one):
                if isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store):
                    found |= {inner.attr} if ast.unparse(inner.value) == "self" else set()
        return found
