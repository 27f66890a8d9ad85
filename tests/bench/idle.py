"""How much an idle lane says: messages a minute on the broker, by topic.

``python -m tests.bench.idle [SECONDS]`` counts what `watch` hears of a demo that nobody uses, after ten seconds. The
demo's process is a `run` without the broker's role. On two shared cores, and on any: 108 while every
role beat every 5 s, 42 since only the process does; with the broker's own health 120 and 43.
"""

import collections
import json
import re
import subprocess
import sys
import time

SETTLED_S = 10.0


def count(seconds: float) -> collections.Counter[str]:
    """Messages by topic that an idle demo says within ``seconds``."""
    program = [sys.executable, "-m", "terminal"]
    with subprocess.Popen(
        [*program, "demo", "--port", "0"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as demo:
        assert demo.stderr is not None
        told = next(match for line in demo.stderr if (match := re.search(r"--config (\S+) watch", line)))
        watching = [*program, "--config", told[1], "watch", "--json", "--all"]
        with subprocess.Popen(watching, stdout=subprocess.PIPE, text=True) as watch:
            assert watch.stdout is not None
            said: collections.Counter[str] = collections.Counter()
            began: float | None = None
            for line in watch.stdout:
                now = time.monotonic()
                began = began or now + SETTLED_S
                message = json.loads(line)
                if now > began + seconds:
                    break
                if now >= began and "topic" in message and not message["retained"]:
                    said[message["topic"]] += 1
            watch.terminate()
        demo.terminate()
    return said


if __name__ == "__main__":
    seconds = float(sys.argv[1]) if sys.argv[1:] else 60.0
    said = count(seconds)
    for topic, number in sorted(said.items()):
        print(f"{number * 60 / seconds:6.1f} {topic}")
    print(f"{said.total() * 60 / seconds:6.1f} messages a minute")
