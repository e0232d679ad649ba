/* shim.c — a preload library that makes the n-th system call of a kind fail, or kills the process at it, in the manner of SQLite's
 * own tests: n = 1, 2, 3 … until a whole run passes unharmed.
 *
 * The test arms it from outside through a small shared file (TONGHUI_FAULT_FILE), so that a node can start in peace, and reads from it how
 * many calls were counted. Regular files and sockets are told apart by the descriptor; others (pipes, eventfds, the log on stderr) are never touched.
 * Words of the file, 64 bits each: 0 which kinds are counted, 1 what happens (an errno, or 0 = SIGKILL), 2 at the how-manieth, 3 counted so
 * far, 4 fired, 5 whether all later ones fail as well.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WORDS = 8, KINDS = 0, OUTCOME = 1, AT = 2, COUNT = 3, FIRED = 4, STICKY = 5 };
enum kind { FILE_WRITE = 1, FILE_SYNC = 2, FILE_READ = 4, NET_CONNECT = 8, NET_ACCEPT = 16, NET_SEND = 32, NET_RECEIVE = 64 };

static _Atomic int64_t *words;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("TONGHUI_FAULT_FILE");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *mapped = fd >= 0 ? mmap(NULL, WORDS * sizeof *words, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (fd >= 0)
        close(fd);
    words = mapped == MAP_FAILED ? NULL : mapped;
}

/* Whether this call is to fail; errno says how. */
static int strikes(enum kind kind)
{
    if (!words || !(atomic_load(&words[KINDS]) & kind))
        return 0;
    int64_t n = atomic_fetch_add(&words[COUNT], 1) + 1, at = atomic_load(&words[AT]);
    if (n != at && !(n > at && atomic_load(&words[STICKY])))
        return 0;
    atomic_fetch_add(&words[FIRED], 1);
    int outcome = (int)atomic_load(&words[OUTCOME]);
    if (!outcome) {
        kill(getpid(), SIGKILL);
        for (;;)
            pause();
    }
    errno = outcome;
    return 1;
}

/* By what the descriptor is; 0 = not ours. Keeps errno. */
static enum kind by_fd(int fd, enum kind of_file, enum kind of_socket)
{
    struct stat st;
    int saved = errno;
    enum kind kind = 0;
    if (words && fd > STDERR_FILENO && atomic_load(&words[KINDS]) && fstat(fd, &st) == 0)
        kind = S_ISREG(st.st_mode) ? of_file : S_ISSOCK(st.st_mode) ? of_socket : 0;
    errno = saved;
    return kind;
}

static void *next(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (!found)
        abort();
    return found;
}

#define PASS(result, name, parameters, arguments, kind)                                                                            \
    __attribute__((visibility("default"))) result name parameters                                                                  \
    {                                                                                                                              \
        static result(*_Atomic real) parameters;                                                                                   \
        result(*go) parameters = atomic_load(&real);                                                                               \
        if (!go)                                                                                                                   \
            atomic_store(&real, go = (result(*) parameters)(uintptr_t)next(#name));                                                \
        if (strikes(kind))                                                                                                         \
            return -1;                                                                                                             \
        return go arguments;                                                                                                       \
    }

PASS(ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n), by_fd(fd, FILE_WRITE, NET_SEND))
PASS(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n), by_fd(fd, FILE_WRITE, NET_SEND))
PASS(ssize_t, pwrite, (int fd, const void *p, size_t n, off_t at), (fd, p, n, at), by_fd(fd, FILE_WRITE, 0))
PASS(ssize_t, pwrite64, (int fd, const void *p, size_t n, off64_t at), (fd, p, n, at), by_fd(fd, FILE_WRITE, 0))
PASS(int, ftruncate, (int fd, off_t n), (fd, n), by_fd(fd, FILE_WRITE, 0))
PASS(int, ftruncate64, (int fd, off64_t n), (fd, n), by_fd(fd, FILE_WRITE, 0))
PASS(int, fdatasync, (int fd), (fd), by_fd(fd, FILE_SYNC, 0))
PASS(int, fsync, (int fd), (fd), by_fd(fd, FILE_SYNC, 0))
PASS(ssize_t, read, (int fd, void *p, size_t n), (fd, p, n), by_fd(fd, FILE_READ, NET_RECEIVE))
PASS(ssize_t, pread, (int fd, void *p, size_t n, off_t at), (fd, p, n, at), by_fd(fd, FILE_READ, 0))
PASS(ssize_t, pread64, (int fd, void *p, size_t n, off64_t at), (fd, p, n, at), by_fd(fd, FILE_READ, 0))
PASS(ssize_t, send, (int fd, const void *p, size_t n, int flags), (fd, p, n, flags), by_fd(fd, 0, NET_SEND))
PASS(ssize_t, sendmsg, (int fd, const struct msghdr *m, int flags), (fd, m, flags), by_fd(fd, 0, NET_SEND))
PASS(ssize_t, recv, (int fd, void *p, size_t n, int flags), (fd, p, n, flags), by_fd(fd, 0, NET_RECEIVE))
PASS(int, connect, (int fd, const struct sockaddr *to, socklen_t n), (fd, to, n), by_fd(fd, 0, NET_CONNECT))
PASS(int, accept, (int fd, struct sockaddr *from, socklen_t *n), (fd, from, n), by_fd(fd, 0, NET_ACCEPT))
PASS(int, accept4, (int fd, struct sockaddr *from, socklen_t *n, int flags), (fd, from, n, flags), by_fd(fd, 0, NET_ACCEPT))
