#include "runtime/store/use_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <cerrno>

#include "runtime/foundation/errors.h"

namespace bgw::store {

UseLock UseLock::shared(const Layout& layout) { return take(layout, LOCK_SH); }
UseLock UseLock::alone(const Layout& layout) { return take(layout, LOCK_EX); }

UseLock UseLock::take(const Layout& layout, int operation) {
  const std::filesystem::path path = layout.root / "use.lock";
  Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  if (!file.is_open() && (errno == EACCES || errno == EROFS))
    throw StoreError(fmt::format("the cache cannot be written: {}; choose another place with --cache", path.string()));
  if (!file.is_open()) throw_system_error(errno, "write", path);
  while (::flock(file.get(), operation) != 0) {
    if (errno != EINTR) throw_system_error(errno, "lock", path);
  }
  return UseLock(std::move(file));
}

}  // namespace bgw::store
