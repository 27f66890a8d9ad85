"""What groups of processes cost, children and grandchildren included: CPU time, and their part of the memory."""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Process:
    """``cpu_s`` has its ended children in it, if it waited for them."""

    parent: int
    cpu_s: float


def processes() -> dict[int, Process]:
    """All of this machine (proc(5))."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        found[int(entry.name)] = Process(int(fields[1]), sum(map(int, fields[11:15])) / TICKS)
    return found


def trees(roots: Sequence[int], among: Mapping[int, Process], but: Collection[int] = ()) -> list[int]:
    """The roots and all that descend from them, but for these others and theirs."""
    children: dict[int, list[int]] = {}
    for pid, process in among.items():
        children.setdefault(process.parent, []).append(pid)
    found, todo = [], [pid for pid in roots if pid in among]
    while todo:
        found.append(pid := todo.pop())
        todo += (child for child in children.get(pid, []) if child not in but)
    return found


def cpu_s(groups: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """Seconds of CPU of each group (its processes' ids) until now."""
    here, all_roots = processes(), {pid for roots in groups.values() for pid in roots}
    return {name: sum(here[pid].cpu_s for pid in trees(roots, here, all_roots)) for name, roots in groups.items()}


def memory_mib(groups: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """MiB of each group: of a page that n processes share, each has an nth part (PSS)."""
    here, all_roots = processes(), {pid for roots in groups.values() for pid in roots}
    return {name: sum(map(_pss_mib, trees(roots, here, all_roots))) for name, roots in groups.items()}


def _pss_mib(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)


def all_cpu_s() -> tuple[float, float]:
    """The machine's busy and whole time, in seconds of one core, since it started."""
    fields = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / TICKS, sum(fields) / TICKS
