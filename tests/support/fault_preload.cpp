// A disk that fails and a process that dies, at any chosen step: loaded into a process by LD_PRELOAD, this library counts
// the calls that change files beneath one folder and lets one of them go wrong. The calls are those of the C library,
// so that SQLite, HDF5 and std::filesystem go through it, too.
//
//   BGW_FAULT_ROOT     the folder, absolute; without it nothing is counted
//   BGW_FAULT_PROGRAM  counts in processes of this program only (the last part of its path); the others pass it on
//   BGW_FAULT_LOG      a file that gets a line for each counted call: NUMBER CALL PATH
//   BGW_FAULT_AT       the number of the call that goes wrong, from 1
//   BGW_FAULT_DO       kill    the process dies before the call, by SIGKILL
//                      EIO     this one call fails
//                      ENOSPC  the disk is full from this call on: whatever takes up space fails
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

enum class Takes { space, nothing };

std::string link_target(const char* link) {
  char target[PATH_MAX];
  const ssize_t length = ::readlink(link, target, sizeof target);
  return length < 0 ? std::string() : std::string(target, static_cast<std::size_t>(length));
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : value;
}

struct Settings {
  std::string root = environment("BGW_FAULT_ROOT");
  std::string what = environment("BGW_FAULT_DO");
  long at = std::atol(environment("BGW_FAULT_AT").c_str());
  int log = -1;

  Settings() {
    const std::string program = link_target("/proc/self/exe");
    const std::string wanted = environment("BGW_FAULT_PROGRAM");
    if (!wanted.empty() && program.substr(program.rfind('/') + 1) != wanted) root.clear();
    const std::string file = environment("BGW_FAULT_LOG");
    if (!root.empty() && !file.empty()) {
      log = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
    }
  }
};

const Settings& settings() {
  static const Settings* kept = new Settings;  // calls come until the process has ended
  return *kept;
}

std::string path_of(int descriptor) { return link_target(("/proc/self/fd/" + std::to_string(descriptor)).c_str()); }

std::string path_at(int directory, const char* path) {
  return path[0] == '/' || directory == AT_FDCWD ? path : path_of(directory) + "/" + path;
}

void note(long number, const char* call, const std::string& path) {
  if (settings().log < 0) return;
  const std::string line = std::to_string(number) + " " + call + " " + path + "\n";
  [[maybe_unused]] const long written = ::syscall(SYS_write, settings().log, line.data(), line.size());
}

// True when this call has to fail; errno is set then.
bool goes_wrong(const char* call, const std::string& path, Takes takes) {
  static std::atomic<long> calls{0};
  const Settings& set = settings();
  if (set.root.empty() || path.compare(0, set.root.size() + 1, set.root + "/") != 0) return false;
  const long number = ++calls;
  note(number, call, path);
  if (set.at <= 0 || number < set.at) return false;
  if (number == set.at && set.what == "kill") ::syscall(SYS_kill, ::getpid(), SIGKILL);
  if (number == set.at && set.what == "EIO") {
    errno = EIO;
    return true;
  }
  if (set.what != "ENOSPC" || takes == Takes::nothing) return false;
  errno = ENOSPC;
  return true;
}

template <class Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

bool is_written(int flags) { return (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT) != 0; }

Takes of_open(int flags) { return (flags & O_CREAT) != 0 ? Takes::space : Takes::nothing; }

int open_at(const char* call, int directory, const char* path, int flags, mode_t mode) {
  static const auto real = next<int (*)(int, const char*, int, ...)>("openat");
  if (is_written(flags) && goes_wrong(call, path_at(directory, path), of_open(flags))) return -1;
  return real(directory, path, flags, mode);
}

mode_t mode_of(int flags, va_list arguments) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? static_cast<mode_t>(va_arg(arguments, int)) : 0;
}

}  // namespace

#define BGW_OPEN(name)                                          \
  int name(const char* path, int flags, ...) {                  \
    va_list arguments;                                          \
    va_start(arguments, flags);                                 \
    const mode_t mode = mode_of(flags, arguments);              \
    va_end(arguments);                                          \
    return open_at("open", AT_FDCWD, path, flags, mode);        \
  }
#define BGW_OPENAT(name)                                        \
  int name(int directory, const char* path, int flags, ...) {   \
    va_list arguments;                                          \
    va_start(arguments, flags);                                 \
    const mode_t mode = mode_of(flags, arguments);              \
    va_end(arguments);                                          \
    return open_at("openat", directory, path, flags, mode);     \
  }

extern "C" {

BGW_OPEN(open)
BGW_OPEN(open64)
BGW_OPENAT(openat)
BGW_OPENAT(openat64)

ssize_t write(int file, const void* bytes, size_t count) {
  static const auto real = next<ssize_t (*)(int, const void*, size_t)>("write");
  return goes_wrong("write", path_of(file), Takes::space) ? -1 : real(file, bytes, count);
}

ssize_t writev(int file, const iovec* parts, int count) {
  static const auto real = next<ssize_t (*)(int, const iovec*, int)>("writev");
  return goes_wrong("writev", path_of(file), Takes::space) ? -1 : real(file, parts, count);
}

ssize_t pwrite(int file, const void* bytes, size_t count, off_t offset) {
  static const auto real = next<ssize_t (*)(int, const void*, size_t, off_t)>("pwrite");
  return goes_wrong("pwrite", path_of(file), Takes::space) ? -1 : real(file, bytes, count, offset);
}

ssize_t pwrite64(int file, const void* bytes, size_t count, off64_t offset) {
  static const auto real = next<ssize_t (*)(int, const void*, size_t, off64_t)>("pwrite64");
  return goes_wrong("pwrite", path_of(file), Takes::space) ? -1 : real(file, bytes, count, offset);
}

int fsync(int file) {
  static const auto real = next<int (*)(int)>("fsync");
  return goes_wrong("fsync", path_of(file), Takes::space) ? -1 : real(file);  // delayed allocation ends here
}

int fdatasync(int file) {
  static const auto real = next<int (*)(int)>("fdatasync");
  return goes_wrong("fdatasync", path_of(file), Takes::space) ? -1 : real(file);
}

int ftruncate(int file, off_t size) noexcept {
  static const auto real = next<int (*)(int, off_t)>("ftruncate");
  return goes_wrong("ftruncate", path_of(file), Takes::nothing) ? -1 : real(file, size);
}

int ftruncate64(int file, off64_t size) noexcept {
  static const auto real = next<int (*)(int, off64_t)>("ftruncate64");
  return goes_wrong("ftruncate", path_of(file), Takes::nothing) ? -1 : real(file, size);
}

int rename(const char* from, const char* to) noexcept {
  static const auto real = next<int (*)(const char*, const char*)>("rename");
  return goes_wrong("rename", to, Takes::space) ? -1 : real(from, to);
}

int renameat(int from_directory, const char* from, int to_directory, const char* to) noexcept {
  static const auto real = next<int (*)(int, const char*, int, const char*)>("renameat");
  return goes_wrong("renameat", path_at(to_directory, to), Takes::space) ? -1 : real(from_directory, from, to_directory, to);
}

int renameat2(int from_directory, const char* from, int to_directory, const char* to, unsigned flags) noexcept {
  static const auto real = next<int (*)(int, const char*, int, const char*, unsigned)>("renameat2");
  return goes_wrong("renameat2", path_at(to_directory, to), Takes::space) ? -1 : real(from_directory, from, to_directory, to, flags);
}

int mkdir(const char* path, mode_t mode) noexcept {
  static const auto real = next<int (*)(const char*, mode_t)>("mkdir");
  return goes_wrong("mkdir", path, Takes::space) ? -1 : real(path, mode);
}

int mkdirat(int directory, const char* path, mode_t mode) noexcept {
  static const auto real = next<int (*)(int, const char*, mode_t)>("mkdirat");
  return goes_wrong("mkdirat", path_at(directory, path), Takes::space) ? -1 : real(directory, path, mode);
}

int unlink(const char* path) noexcept {
  static const auto real = next<int (*)(const char*)>("unlink");
  return goes_wrong("unlink", path, Takes::nothing) ? -1 : real(path);
}

int unlinkat(int directory, const char* path, int flags) noexcept {
  static const auto real = next<int (*)(int, const char*, int)>("unlinkat");
  return goes_wrong("unlinkat", path_at(directory, path), Takes::nothing) ? -1 : real(directory, path, flags);
}

int remove(const char* path) noexcept {
  static const auto real = next<int (*)(const char*)>("remove");
  return goes_wrong("remove", path, Takes::nothing) ? -1 : real(path);
}

int rmdir(const char* path) noexcept {
  static const auto real = next<int (*)(const char*)>("rmdir");
  return goes_wrong("rmdir", path, Takes::nothing) ? -1 : real(path);
}

}  // extern "C"
