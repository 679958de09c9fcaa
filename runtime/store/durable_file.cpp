#include "runtime/store/durable_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

namespace bgw::store {
namespace {

bool write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

// Nothing stands there, as opposed to something that cannot be reached.
bool is_missing(int error) { return error == ENOENT || error == ENOTDIR || error == EISDIR || error == ELOOP; }

[[noreturn]] void throw_unread(int error, const std::filesystem::path& path) {
  const std::string text = fmt::format("cannot read {}: {}", path.string(), std::strerror(error));
  if (is_missing(error)) throw StoreError(text);
  throw Unreadable(text);
}

}  // namespace

Descriptor::~Descriptor() { close(); }

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    close();
    number_ = other.release();
  }
  return *this;
}

int Descriptor::release() { return std::exchange(number_, -1); }

void Descriptor::close() {
  if (number_ >= 0) ::close(std::exchange(number_, -1));
}

void throw_system_error(int error, const std::string& verb, const std::filesystem::path& path) {
  // A quota or a limit on the size of files is a full disk to the one who wants to write.
  const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  throw StoreError(fmt::format("{}cannot {} {}: {}", full ? "disk full: " : "", verb, path.string(), std::strerror(error)));
}

void write_durably(const std::filesystem::path& path, std::string_view bytes) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (!file.is_open()) throw_system_error(errno, "write", path);
  if (write_all(file.get(), bytes) && ::fsync(file.get()) == 0) return;
  const int error = errno;
  ::unlink(path.c_str());
  throw_system_error(error, "write", path);
}

void replace_durably(const std::filesystem::path& path, std::string_view bytes) {
  std::filesystem::path beside = path;
  beside += fmt::format(".{}.tmp", ::getpid());
  write_durably(beside, bytes);
  if (::rename(beside.c_str(), path.c_str()) != 0) {
    const int error = errno;
    ::unlink(beside.c_str());
    throw_system_error(error, "write", path);
  }
  sync_directory(path.parent_path());
}

PendingFile::PendingFile(std::filesystem::path place) : place_(std::filesystem::absolute(place)), beside_(place_) {
  beside_ += fmt::format(".{}.tmp", ::getpid());
}

PendingFile::~PendingFile() { ::unlink(beside_.c_str()); }

bool PendingFile::publish(bool replace) {
  const Descriptor file(::open(beside_.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open() || ::fsync(file.get()) != 0) throw_system_error(errno, "write", place_);
  if (!replace) {
    if (!rename_without_replacing(beside_, place_)) return false;
  } else if (::rename(beside_.c_str(), place_.c_str()) != 0) {
    throw_system_error(errno, "write", place_);
  }
  sync_directory(place_.parent_path());
  return true;
}

void sync_directory(const std::filesystem::path& directory) {
  const Descriptor handle(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!handle.is_open() || ::fsync(handle.get()) != 0) throw_system_error(errno, "make durable the directory", directory);
}

bool rename_without_replacing(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return true;
  // Some file systems lack the flag; renaming a directory onto a directory with entries fails there all the same.
  if (errno == EINVAL && ::rename(from.c_str(), to.c_str()) == 0) return true;
  if (errno == EEXIST || errno == ENOTEMPTY) return false;
  throw_system_error(errno, "rename to", to);
}

void exchange(const std::filesystem::path& a, const std::filesystem::path& b) {
  if (::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) == 0) return;
  if (errno != EINVAL) throw_system_error(errno, "rename to", b);
  std::filesystem::path between = a;
  between += ".old";
  for (const auto& [from, to] : {std::pair{b, between}, {a, b}, {between, a}}) {
    if (::rename(from.c_str(), to.c_str()) != 0) throw_system_error(errno, "rename to", to);
  }
}

std::string read_bytes(const std::filesystem::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status{};
  if (!file.is_open() || ::fstat(file.get(), &status) != 0) throw_unread(errno, path);
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t got = ::read(file.get(), bytes.data() + filled, bytes.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_unread(errno, path);
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  bytes.resize(filled);
  return bytes;
}

bool is_there(const std::filesystem::path& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0) return true;
  if (!is_missing(errno)) throw_unread(errno, path);
  return false;
}

std::vector<std::filesystem::path> entries_of(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> entries;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    entries.push_back(entry->path());
  }
  if (error && !is_missing(error.value())) throw_unread(error.value(), directory);
  std::sort(entries.begin(), entries.end());
  return entries;
}

void make_directories(const std::filesystem::path& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) throw_system_error(error.value(), "make the directory", directory);
}

}  // namespace bgw::store
