/* Preloaded by lcd.py: /dev/spidev* leads to /dev/null, takes every ioctl, and is as slow as a bus of 32 MHz. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
static char bus[4096];
static int opened(const char *path, int flags, int mode) {
    if (strncmp(path, "/dev/spidev", 11)) return syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    int fd = syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR, 0);
    if (fd >= 0 && fd < sizeof bus) bus[fd] = 1;
    return fd;
}
int open(const char *path, int flags, ...) {
    va_list rest; va_start(rest, flags); int mode = va_arg(rest, int); va_end(rest);
    return opened(path, flags, mode);
}
int open64(const char *path, int flags, ...) {
    va_list rest; va_start(rest, flags); int mode = va_arg(rest, int); va_end(rest);
    return opened(path, flags, mode);
}
int ioctl(int fd, unsigned long what, ...) {
    va_list rest; va_start(rest, what); void *with = va_arg(rest, void *); va_end(rest);
    return fd >= 0 && fd < sizeof bus && bus[fd] ? 0 : syscall(SYS_ioctl, fd, what, with);
}
ssize_t write(int fd, const void *data, size_t size) {
    if (fd >= 0 && fd < sizeof bus && bus[fd]) usleep(size / 4);
    return syscall(SYS_write, fd, data, size);
}
