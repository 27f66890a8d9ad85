"""pytest, run so that a mutant's fate is known at the first failure."""

import gc
import importlib.abc
import importlib.machinery
import importlib.util
import os
import pickle
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import coverage
import pytest
from hypothesis import Phase, settings

from tests.mutation.forks import KILLED, Broken, Forks, ask, leave
from tests.mutation.mutants import CORE, ROOT, Mutant, file_of, module_of, source

# The conftest has brokers, which core/ knows nothing of.
OPTIONS = [
    "-q",
    "-s",
    "--tb=no",
    "--assert=plain",
    "--timeout=0",
    "-pno:cacheprovider",
    "-pno:cov",
    "--noconftest",
]  # what it has is brokers
QUICK = ("test_events.py", "test_rules_limits.py")
"""What an import does, these know best; with a file's own tests they are tried before all are loaded."""
Tell = Callable[[Mutant, str], None]
_lru_cache_wrapper = type(lru_cache(len))


def own_test(mutant: Mutant) -> str:
    """The test file that is named by the mutant's."""
    return f"test_{mutant.file.replace('/', '_')}"


class Plugin:
    """What all runs have in common. A failing test calls ``failed``."""

    def __init__(self) -> None:
        self.failed: Callable[[], object] = lambda: None

    def pytest_collection(self) -> None:
        """The same examples every time; and a failure is enough, hypothesis need not look for the smallest."""
        phases = (Phase.explicit, Phase.generate)
        settings.register_profile("no shrinking", derandomize=True, deadline=None, phases=phases)
        settings.load_profile("no shrinking")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed()

    def run(self, items: Sequence[pytest.Item], failed: Callable[[pytest.Item], object]) -> None:
        for item, following in zip(items, [*items[1:], None], strict=False):  # of no items that is one more
            self.failed = lambda item=item: failed(item)
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)


class Killers:
    """Which tests killed the mutants of a function: likely the next one's too."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)

    def note(self, mutant: Mutant, test: bytes) -> None:
        if test:
            self._counts[mutant.file, mutant.within][test.decode()] += 1

    def first(self, mutant: Mutant, items: Iterable[pytest.Item], seconds: dict[str, float]) -> list[pytest.Item]:
        """Those, then the tests of its file, then the short ones."""
        counts, own = self._counts[mutant.file, mutant.within], own_test(mutant)

        def order(item: pytest.Item) -> tuple[int, bool, float]:
            return -counts[item.nodeid], item.path.name != own, seconds.get(item.nodeid, 0)

        return sorted(items, key=order)


# -- mutants of functions ----------------------------------------------------------------------------------------


def try_functions(mutants: Sequence[Mutant], tests: Sequence[str], forks: Forks, tell: Tell) -> None:
    """With all tests loaded: a fork puts the changed code into the function and runs the tests that reach its lines."""
    if mutants and pytest.main([*OPTIONS, *tests], plugins=[_Loaded(mutants, forks, tell)]):
        raise Broken("the tests do not load as they are")


class _Loaded(Plugin):
    def __init__(self, mutants: Sequence[Mutant], forks: Forks, tell: Tell) -> None:
        super().__init__()
        self.mutants, self.forks, self.tell = mutants, forks, tell
        self.killers = Killers()

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            raise session.Interrupted("tests that do not load")
        gc.collect()
        gc.freeze()  # else each fork would copy what its collector looks at
        reached, seconds = pickle.loads(ask(lambda: pickle.dumps(self.measured(session.items))))
        for mutant in self.mutants:
            names = set().union(*(reached.get((mutant.file, line), ()) for line in mutant.lines))
            items = self.killers.first(mutant, (i for i in session.items if i.nodeid in names), seconds)
            limit_s = 3 + 2 * sum(seconds[name] for name in names)

            def ended(fate: str, test: bytes, mutant: Mutant = mutant) -> None:
                self.killers.note(mutant, test)
                self.tell(mutant, fate)

            self.forks.start(lambda m=mutant, items=items: self.tried(m, items), limit_s, ended)  # type: ignore[misc]
        self.forks.wait_for_all()
        return True

    def tried(self, mutant: Mutant, items: Sequence[pytest.Item]) -> None:
        change(mutant)
        self.run(items, lambda item: leave(KILLED, item.nodeid.encode()))

    def measured(self, items: Sequence[pytest.Item]) -> tuple[dict[tuple[str, int], set[str]], dict[str, float]]:
        """Which tests reach each line of core/, and how many seconds of work each takes."""
        seconds: dict[str, float] = {}
        lines = coverage.Coverage(data_file=None, config_file=False, include=[f"{CORE}/*"])
        lines.start()
        for item in items:
            lines.switch_context(item.nodeid)
            began = time.process_time()
            self.run([item], lambda _: os._exit(1))
            seconds[item.nodeid] = time.process_time() - began
        lines.stop()
        reached = {
            (file_of(Path(file)), line): set(names)
            for file in lines.get_data().measured_files()
            for line, names in lines.get_data().contexts_by_lineno(file).items()
        }
        return reached, seconds


def change(mutant: Mutant) -> None:
    """Puts the changed code into the functions of its statement, so that every reference has the changed one."""
    module = sys.modules[module_of(mutant.file)]
    made = ModuleType("made")
    made.__dict__.update(vars(module))
    try:
        exec(compile(mutant.statement, module.__file__ or "", "exec"), made.__dict__)
    except Exception:
        leave(KILLED)  # a default that cannot be
    name = mutant.within.partition(".")[0]
    _into(getattr(module, name), getattr(made, name))


def _into(old: Any, new: Any) -> None:
    match old:
        case FunctionType():
            old.__code__, old.__defaults__, old.__kwdefaults__ = new.__code__, new.__defaults__, new.__kwdefaults__
        case property():
            _into(old.fget, new.fget)
        case _lru_cache_wrapper():
            old.cache_clear()  # what it remembers was said by the code as it was
            _into(old.__wrapped__, new.__wrapped__)
        case classmethod() | staticmethod():
            _into(old.__func__, new.__func__)
        case type():
            for name, value in vars(old).items():
                if isinstance(value, FunctionType | property | classmethod | staticmethod):
                    _into(value, vars(new)[name])


# -- mutants of what an import does -------------------------------------------------------------------------------


def try_imports(mutants: Sequence[Mutant], tests: Sequence[str], forks: Forks, tell: Tell) -> None:
    """With nothing of ours loaded: a fork imports the changed file, and all tests."""
    if not mutants:
        return
    began = time.process_time() + os.times().children_user
    for name in pickle.loads(ask(lambda: pickle.dumps(_imported(tests)))):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    ask(lambda: pickle.dumps(pytest.main([*OPTIONS, *tests], plugins=[_Passing()])))
    limit_s = 3 + 3 * (time.process_time() + os.times().children_user - began)
    killers = Killers()
    for mutant in mutants:

        def ended(fate: str, test: bytes, mutant: Mutant = mutant) -> None:
            killers.note(mutant, test)
            tell(mutant, fate)

        def tried(mutant: Mutant = mutant) -> None:
            sys.meta_path.insert(0, _Changed(mutant))
            for some in ([test for test in tests if Path(test).name in (own_test(mutant), *QUICK)], tests):
                if pytest.main([*OPTIONS, *some], plugins=[_Import(mutant, killers)]):
                    leave(KILLED)

        forks.start(tried, limit_s, ended)
    forks.wait_for_all()


def _imported(tests: Sequence[str]) -> list[str]:
    """What the tests import of others: it is loaded once, before the forks."""
    if pytest.main([*OPTIONS, "--collect-only", *tests], plugins=[Plugin()]):
        raise Broken("the tests do not load as they are")
    ours = tuple(str(ROOT / folder) for folder in ("broker", "drivers", "terminal", "tests"))
    specs = {name: getattr(module, "__spec__", None) for name, module in sys.modules.items()}
    return [n for n, spec in specs.items() if spec and spec.name == n and not (spec.origin or ours[0]).startswith(ours)]


class _Passing(Plugin):
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.run(session.items, lambda _: os._exit(1))
        return True


class _Import(Plugin):
    def __init__(self, mutant: Mutant, killers: Killers) -> None:
        super().__init__()
        self.mutant, self.killers = mutant, killers

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            leave(KILLED)
        items = self.killers.first(self.mutant, session.items, {})
        self.run(items, lambda item: leave(KILLED, item.nodeid.encode()))
        return True


class _Changed(importlib.abc.MetaPathFinder, importlib.machinery.SourceFileLoader):
    """Finds and loads one file of core/ as the mutant has it."""

    def __init__(self, mutant: Mutant) -> None:
        self.text = source(mutant)
        path = CORE / mutant.file
        importlib.machinery.SourceFileLoader.__init__(self, module_of(mutant.file), str(path))
        self.folder = [str(path.parent)] if path.name == "__init__.py" else None

    def find_spec(self, fullname: str, path: object, target: object = None) -> importlib.machinery.ModuleSpec | None:
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(
            fullname, self.path, loader=self, submodule_search_locations=self.folder
        )

    def get_code(self, fullname: str) -> Any:
        return compile(self.text, self.path, "exec")
