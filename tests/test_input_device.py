"""Keyboards through evdev, before a kernel that is played: a library in front of ioctl() answers for a pipe."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.keyboard import typed
from tests.support.leash import running

KERNEL = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/input.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The requests of linux/input.h that evdev makes; GRABBED names a file that is there while another holds the device. */
int ioctl(int fd, unsigned long request, ...) {
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (_IOC_TYPE(request) != 'E')
        return ((int (*)(int, unsigned long, void *))dlsym(RTLD_NEXT, "ioctl"))(fd, request, argument);
    unsigned number = _IOC_NR(request), size = _IOC_SIZE(request);
    if (number == _IOC_NR(EVIOCGRAB)) {
        if (argument && access(getenv("GRABBED"), F_OK) == 0) {
            errno = EBUSY;
            return -1;
        }
        return 0;
    }
    memset(argument, 0, size);
    if (number == _IOC_NR(EVIOCGBIT(0, 0)))
        *(unsigned char *)argument = 1 << EV_SYN | 1 << EV_KEY;
    else if (number == _IOC_NR(EVIOCGBIT(EV_KEY, 0)) && strcmp(getenv("KIND"), "keyboard") == 0)
        memset(argument, 0xff, KEY_MICMUTE / 8);
    else if (number == _IOC_NR(EVIOCGBIT(EV_KEY, 0)))
        ((unsigned char *)argument)[BTN_MOUSE / 8] = 1 << BTN_MOUSE % 8;
    return 0;
}
"""
PROGRAM = """
import asyncio, sys
from drivers.scanner import HidScanner

async def main():
    async with HidScanner(sys.argv[1]) as scanner:
        scanner.on_trouble(lambda: print(scanner.trouble, flush=True))
        async for reading in scanner:
            print(reading.text, flush=True)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kernel")
    (folder / "kernel.c").write_text(KERNEL)
    made = ["cc", "-shared", "-fPIC", "-o", folder / "kernel.so", folder / "kernel.c", "-ldl"]
    subprocess.run(made, check=True, timeout=60)
    return folder / "kernel.so"


class Played:
    """A reader's process at a device that is played."""

    def __init__(self, folder: Path, process: subprocess.Popen[str]) -> None:
        self.device, self.grabbed = folder / "event0", folder / "grabbed"
        self._process = process

    def says(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n").replace(str(self.device), "DEVICE")

    def type(self, text: str) -> None:
        fd = os.open(self.device, os.O_WRONLY)
        os.write(fd, typed(text))
        os.close(fd)


@contextmanager
def played(kernel: Path, folder: Path, *, kind: str = "keyboard", grabbed: bool = False) -> Iterator[Played]:
    os.mkfifo(folder / "event0")
    kept = os.open(folder / "event0", os.O_RDWR)  # no end, whoever types
    if grabbed:
        (folder / "grabbed").touch()
    environment = os.environ | {"LD_PRELOAD": str(kernel), "GRABBED": str(folder / "grabbed"), "KIND": kind}
    command = [sys.executable, "-c", PROGRAM, str(folder / "event0")]
    with running(*command, env=environment, stdout=subprocess.PIPE) as process:
        yield Played(folder, process)
    os.close(kept)


@pytest.mark.fault("scanner-keys")
def test_a_keyboard_is_read_through_evdev(kernel: Path, tmp_path: Path) -> None:
    with played(kernel, tmp_path) as reader:
        assert reader.says() == "None"
        reader.type("P1.MARINA.a\r")
        assert reader.says() == "P1.MARINA.a"


@pytest.mark.fault("scanner-keys")
def test_a_keyboard_that_another_program_holds_is_not_read_until_it_is_free(kernel: Path, tmp_path: Path) -> None:
    with played(kernel, tmp_path, grabbed=True) as reader:
        assert reader.says() == "the scanner at DEVICE cannot be opened: another program holds it"
        reader.grabbed.unlink()
        assert reader.says() == "None"
        reader.type("free\r")
        assert reader.says() == "free"


@pytest.mark.fault("scanner-keys")
def test_a_mouse_is_no_keyboard_and_that_is_said(kernel: Path, tmp_path: Path) -> None:
    with played(kernel, tmp_path, kind="mouse") as reader:
        assert reader.says() == "the scanner at DEVICE cannot be opened: it is not a keyboard"


@pytest.mark.fault("scanner-keys")
def test_what_is_no_event_device_is_said() -> None:
    with running(sys.executable, "-c", PROGRAM, "/dev/null", stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said == "the scanner at /dev/null cannot be opened: it is not a device for this reader.driver\n"
