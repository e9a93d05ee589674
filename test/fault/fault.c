/**
 * Loaded into a process before libc (LD_PRELOAD): counts the calls that touch files below one folder, and at
 * the n-th of them kills the process or makes the call fail. Node, SQLite and the native addon all reach the
 * kernel through libc, by these names.
 *
 * FAULT_DIR names the folder; a call is counted by its path, or by the path its descriptor was opened with.
 * What is to happen is said by asking access() for a path that does not exist:
 *
 *   /fault/begin AT HOW [LOG]   counts from 1 again. At call AT (0: none) HOW happens: 0 kills after the call
 * was carried out, an errno makes it fail once, with "+" behind it every call from then on. LOG gets a line
 * for each call: number, "w" where it changes something and "r" where not, name, path below the folder
 *   /fault/end                  counts no more
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAX_FD 4096

static char* paths[MAX_FD]; /* what each descriptor was opened as; null for what is of no interest */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int counting = 0;
static long count = 0;
static const char* folder;
static size_t folder_length;
static long fault_at;
static int fault_errno; /* 0: kill */
static int for_ever;
static int log_fd = -1;

static void* next(const char* name) { return dlsym(RTLD_NEXT, name); }
#define REAL(type, name, ...)                  \
  static type (*real_##name)(__VA_ARGS__) = 0; \
  if (real_##name == 0) real_##name = (type(*)(__VA_ARGS__))next(#name)

__attribute__((constructor)) static void begin(void) {
  folder = getenv("FAULT_DIR");
  if (folder == NULL) return;
  folder_length = strlen(folder);
}

static int is_below(const char* path) {
  return folder != NULL && path != NULL && strncmp(path, folder, folder_length) == 0 &&
         (path[folder_length] == '/' || path[folder_length] == 0);
}

/** The path that a call is about, in a buffer of this thread, or null where it lies elsewhere. */
static const char* path_at(int dirfd, const char* path) {
  static __thread char buffer[PATH_MAX * 2];
  if (folder == NULL || path == NULL) return NULL;
  if (path[0] == '/') return is_below(path) ? path : NULL;
  if (dirfd < 0 || dirfd >= MAX_FD || paths[dirfd] == NULL) return NULL;
  snprintf(buffer, sizeof buffer, "%s/%s", paths[dirfd], path);
  return buffer;
}
static const char* path_of(int fd) { return folder == NULL || fd < 0 || fd >= MAX_FD ? NULL : paths[fd]; }

static void remember(int fd, const char* path) {
  if (fd < 0 || fd >= MAX_FD || path == NULL) return;
  pthread_mutex_lock(&lock);
  paths[fd] = strdup(path); /* the old one may still be read by another thread: a few bytes are given up */
  pthread_mutex_unlock(&lock);
}
static void forget(int fd) {
  if (fd >= 0 && fd < MAX_FD) paths[fd] = NULL;
}

/** Counts one call. 0: carry it out; 1: carry it out and die; -1: fail with errno, which is set. */
static int judge(const char* name, const char* path, int writes) {
  if (path == NULL || !__atomic_load_n(&counting, __ATOMIC_SEQ_CST)) return 0;
  const long at = __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);
  if (log_fd >= 0) {
    char line[PATH_MAX + 64];
    const int length =
        snprintf(line, sizeof line, "%ld %c %s %s\n", at, writes ? 'w' : 'r', name, path + folder_length);
    if (syscall(SYS_write, log_fd, line, length) < 0) abort();
  }
  if (fault_at == 0 || at < fault_at || (at > fault_at && !for_ever)) return 0;
  if (fault_errno == 0) return 1;
  errno = fault_errno;
  return -1;
}

static void die(void) {
  syscall(SYS_kill, getpid(), SIGKILL);
  for (;;) pause();
}

/** The body of a wrapper: `call` gives `result`. */
#define AROUND(type, failed, name, path, writes, call) \
  const int verdict = judge(name, path, writes);       \
  if (verdict < 0) return failed;                      \
  type result = call;                                  \
  if (verdict > 0) die();                              \
  return result

#define WRITING(flags) (((flags) & (O_CREAT | O_TRUNC)) != 0)

static int opened(const char* name, const char* path, int flags, int (*call)(void*), void* arguments) {
  char full[PATH_MAX * 2];
  if (path != NULL) snprintf(full, sizeof full, "%s", path);
  const int verdict = judge(name, path, WRITING(flags));
  if (verdict < 0) return -1;
  const int fd = call(arguments);
  if (fd >= 0) {
    forget(fd);
    if (path != NULL) remember(fd, full);
  }
  if (verdict > 0) die();
  return fd;
}

struct open_arguments {
  int dirfd;
  const char* path;
  int flags;
  mode_t mode;
};
static int call_open(void* given) {
  const struct open_arguments* a = given;
  REAL(int, openat64, int, const char*, int, ...);
  return real_openat64(a->dirfd, a->path, a->flags, a->mode);
}
#define OPENER(name, ...)                                                    \
  int name(__VA_ARGS__, int flags, ...) {                                    \
    va_list list;                                                            \
    va_start(list, flags);                                                   \
    struct open_arguments a = {AT_DIRFD, path, flags, va_arg(list, mode_t)}; \
    va_end(list);                                                            \
    return opened("open", path_at(a.dirfd, path), flags, call_open, &a);     \
  }
#define AT_DIRFD AT_FDCWD
OPENER(open, const char* path)
OPENER(open64, const char* path)
#undef AT_DIRFD
#define AT_DIRFD dirfd
OPENER(openat, int dirfd, const char* path)
OPENER(openat64, int dirfd, const char* path)

static long (*real_syscall)(long, ...) = 0;
struct syscall_arguments {
  long number;
  long values[6];
};
static int call_syscall(void* given) {
  const struct syscall_arguments* a = given;
  const long* v = a->values;
  return (int)real_syscall(a->number, v[0], v[1], v[2], v[3], v[4], v[5]);
}
/** libuv asks for statx by number, the addon for openat2. */
long syscall(long number, ...) {
  struct syscall_arguments a = {number, {0}};
  va_list list;
  va_start(list, number);
  for (int i = 0; i < 6; i++) a.values[i] = va_arg(list, long);
  va_end(list);
  if (real_syscall == 0) real_syscall = (long (*)(long, ...))next("syscall");
  const long* v = a.values;
  if (number == SYS_openat2) {
    const int flags = (int)((const struct open_how*)v[2])->flags;
    return opened("openat2", path_at((int)v[0], (const char*)v[1]), flags, call_syscall, &a);
  }
  if (number == SYS_statx) {
    const char* path =
        ((const char*)v[1])[0] == 0 ? path_of((int)v[0]) : path_at((int)v[0], (const char*)v[1]);
    AROUND(long, -1, "statx", path, 0, real_syscall(number, v[0], v[1], v[2], v[3], v[4]));
  }
  return real_syscall(number, v[0], v[1], v[2], v[3], v[4], v[5]);
}

int close(int fd) {
  REAL(int, close, int);
  const char* path = path_of(fd);
  const int verdict = judge("close", path, 0);
  forget(fd);
  const int result = real_close(fd);
  if (verdict > 0) die();
  if (verdict < 0) {
    errno = fault_errno;
    return -1;
  }
  return result;
}

#define BY_FD(type, name, label, writes, parameters, types, arguments) \
  type name parameters {                                               \
    static type(*real) types = 0;                                      \
    if (real == 0) real = (type(*) types)next(#name);                  \
    AROUND(type, -1, label, path_of(fd), writes, real arguments);      \
  }
BY_FD(ssize_t, read, "read", 0, (int fd, void* to, size_t n), (int, void*, size_t), (fd, to, n))
BY_FD(ssize_t, pread, "pread", 0, (int fd, void* to, size_t n, off_t at), (int, void*, size_t, off_t),
      (fd, to, n, at))
BY_FD(ssize_t, pread64, "pread", 0, (int fd, void* to, size_t n, off64_t at), (int, void*, size_t, off64_t),
      (fd, to, n, at))
BY_FD(ssize_t, write, "write", 1, (int fd, const void* from, size_t n), (int, const void*, size_t),
      (fd, from, n))
BY_FD(ssize_t, pwrite, "pwrite", 1, (int fd, const void* from, size_t n, off_t at),
      (int, const void*, size_t, off_t), (fd, from, n, at))
BY_FD(ssize_t, pwrite64, "pwrite", 1, (int fd, const void* from, size_t n, off64_t at),
      (int, const void*, size_t, off64_t), (fd, from, n, at))
BY_FD(ssize_t, writev, "writev", 1, (int fd, const struct iovec* v, int n), (int, const struct iovec*, int),
      (fd, v, n))
BY_FD(ssize_t, pwritev64, "pwritev", 1, (int fd, const struct iovec* v, int n, off64_t at),
      (int, const struct iovec*, int, off64_t), (fd, v, n, at))
BY_FD(int, fsync, "fsync", 1, (int fd), (int), (fd))
BY_FD(int, fdatasync, "fdatasync", 1, (int fd), (int), (fd))
BY_FD(int, ftruncate64, "ftruncate", 1, (int fd, off64_t size), (int, off64_t), (fd, size))
BY_FD(int, fstat, "fstat", 0, (int fd, struct stat* to), (int, struct stat*), (fd, to))
BY_FD(int, fstat64, "fstat", 0, (int fd, struct stat64* to), (int, struct stat64*), (fd, to))
BY_FD(int, flock, "flock", 0, (int fd, int how), (int, int), (fd, how))

/** Locks of SQLite. To let go of one fails on no local file system, and SQLite does not expect it to. */
int fcntl64(int fd, int what, ...) {
  REAL(int, fcntl64, int, int, ...);
  va_list list;
  va_start(list, what);
  void* value = va_arg(list, void*);
  va_end(list);
  const int locks = what == F_SETLK && ((const struct flock*)value)->l_type != F_UNLCK;
  AROUND(int, -1, "fcntl", locks ? path_of(fd) : NULL, 0, real_fcntl64(fd, what, value));
}

void* mmap64(void* address, size_t n, int protection, int flags, int fd, off64_t at) {
  REAL(void*, mmap64, void*, size_t, int, int, int, off64_t);
  AROUND(void*, MAP_FAILED, "mmap", path_of(fd), 0, real_mmap64(address, n, protection, flags, fd, at));
}

#define BY_PATH(type, failed, name, label, writes, parameters, types, arguments)  \
  type name parameters {                                                          \
    static type(*real) types = 0;                                                 \
    if (real == 0) real = (type(*) types)next(#name);                             \
    AROUND(type, failed, label, path_at(AT_FDCWD, path), writes, real arguments); \
  }
BY_PATH(int, -1, unlink, "unlink", 1, (const char* path), (const char*), (path))
BY_PATH(int, -1, rmdir, "rmdir", 1, (const char* path), (const char*), (path))
BY_PATH(int, -1, mkdir, "mkdir", 1, (const char* path, mode_t mode), (const char*, mode_t), (path, mode))
BY_PATH(int, -1, rename, "rename", 1, (const char* path, const char* to), (const char*, const char*),
        (path, to))
BY_PATH(int, -1, stat64, "stat", 0, (const char* path, struct stat64* to), (const char*, struct stat64*),
        (path, to))
BY_PATH(int, -1, lstat64, "lstat", 0, (const char* path, struct stat64* to), (const char*, struct stat64*),
        (path, to))
BY_PATH(int, -1, statfs, "statfs", 0, (const char* path, struct statfs* to), (const char*, struct statfs*),
        (path, to))
BY_PATH(ssize_t, -1, readlink, "readlink", 0, (const char* path, char* to, size_t n),
        (const char*, char*, size_t), (path, to, n))
BY_PATH(char*, NULL, realpath, "realpath", 0, (const char* path, char* to), (const char*, char*), (path, to))
BY_PATH(DIR*, NULL, opendir, "opendir", 0, (const char* path), (const char*), (path))
BY_PATH(int, -1, scandir64, "scandir", 0,
        (const char* path, struct dirent64*** list, int (*filter)(const struct dirent64*),
         int (*compare)(const struct dirent64**, const struct dirent64**)),
        (const char*, struct dirent64***, int (*)(const struct dirent64*),
         int (*)(const struct dirent64**, const struct dirent64**)),
        (path, list, filter, compare))

static void obey(const char* word) {
  if (strcmp(word, "end") == 0) {
    __atomic_store_n(&counting, 0, __ATOMIC_SEQ_CST);
    return;
  }
  char how[16] = "0", log_path[PATH_MAX] = "";
  if (sscanf(word, "begin %ld %15s %4095s", &fault_at, how, log_path) < 2) abort();
  fault_errno = atoi(how);
  for_ever = strchr(how, '+') != NULL;
  if (log_path[0] != 0)
    log_fd = (int)syscall(SYS_openat, AT_FDCWD, log_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  count = 0;
  __atomic_store_n(&counting, 1, __ATOMIC_SEQ_CST);
}

int access(const char* path, int mode) {
  REAL(int, access, const char*, int);
  if (folder != NULL && strncmp(path, "/fault/", 7) == 0) obey(path + 7);
  AROUND(int, -1, "access", path_at(AT_FDCWD, path), 0, real_access(path, mode));
}

int unlinkat(int dirfd, const char* path, int flags) {
  REAL(int, unlinkat, int, const char*, int);
  AROUND(int, -1, "unlinkat", path_at(dirfd, path), 1, real_unlinkat(dirfd, path, flags));
}

int fstatat(int dirfd, const char* path, struct stat* to, int flags) {
  REAL(int, fstatat, int, const char*, struct stat*, int);
  AROUND(int, -1, "fstatat", path_at(dirfd, path), 0, real_fstatat(dirfd, path, to, flags));
}

int statx(int dirfd, const char* path, int flags, unsigned mask, struct statx* to) {
  REAL(int, statx, int, const char*, int, unsigned, struct statx*);
  const char* full = path[0] == 0 ? path_of(dirfd) : path_at(dirfd, path);
  AROUND(int, -1, "statx", full, 0, real_statx(dirfd, path, flags, mask, to));
}
