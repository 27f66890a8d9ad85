"""Runs a module and says when a mock pin rises: the time (``monotonic_ns``) and the CPU time of the process until then
(ns), a line each, into a named pipe.

    python -m tests.bench.pin_clock PIPE PIN MODULE [ARGUMENTS]

It stands at the library's pin, so both programs that `line` compares are measured at the same place.
"""

import os
import runpy
import sys
import time

from gpiozero.pins.mock import MockPin

_change = MockPin._change_state


def main() -> None:
    pipe, pin, module = os.open(sys.argv[1], os.O_WRONLY), f"GPIO{sys.argv[2]}", sys.argv[3]

    def change(self: MockPin, value: bool) -> bool:
        changed: bool = _change(self, value)
        if changed and value and self.info.name == pin:
            os.write(pipe, b"%d %d\n" % (time.monotonic_ns(), time.process_time_ns()))
        return changed

    MockPin._change_state = change
    sys.argv = sys.argv[3:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
