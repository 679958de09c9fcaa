#include "runtime/engine/claim.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>

#include "compiler/schema/value.h"
#include "runtime/store/clock.h"

namespace bgw::engine {
namespace {

namespace fs = std::filesystem;

constexpr double kMicroseconds = 1e6;  // in a second

std::string clock_time(std::int64_t microseconds) {
  const auto time = static_cast<std::time_t>(microseconds / 1'000'000);
  std::tm local{};
  ::localtime_r(&time, &local);
  char text[16] = {};
  std::strftime(text, sizeof(text), "%H:%M", &local);
  return text;
}

bool is_gone(const schema::Value& owner) {
  if (owner.at("host").as_string() != store::host_name()) return false;
  if (owner.string_or("boot", "") != store::boot_id()) return true;
  return ::kill(static_cast<pid_t>(owner.at("pid").as_int()), 0) != 0 && errno == ESRCH;
}

// For people only: whether the claim is held is the kernel's to say.
void write_owner(int file) {
  const std::string text = schema::to_json(schema::Map{{"pid", static_cast<std::int64_t>(::getpid())},
                                                       {"host", store::host_name()},
                                                       {"boot", store::boot_id()},
                                                       {"time", store::now_in_microseconds()}});
  if (::ftruncate(file, 0) != 0) return;
  [[maybe_unused]] const ssize_t written = ::pwrite(file, text.data(), text.size(), 0);
}

// Whoever finishes a task removes its work directory: the file we locked may be one without a name by then.
bool still_in_place(int file, const fs::path& path) {
  struct stat held{};
  struct stat named{};
  return ::fstat(file, &held) == 0 && ::stat(path.c_str(), &named) == 0 && held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

}  // namespace

std::optional<Claim> Claim::try_take(const fs::path& work) {
  const fs::path path = work / "claim";
  for (;;) {
    store::make_directories(work);
    store::Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
    if (!file.is_open() && errno == ENOENT) continue;  // the directory was removed this moment
    if (!file.is_open()) store::throw_system_error(errno, "write", path);
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) return std::nullopt;
      store::throw_system_error(errno, "lock", path);
    }
    if (!still_in_place(file.get(), path)) continue;
    write_owner(file.get());
    return Claim(std::move(file));
  }
}

bool is_claimed(const fs::path& work) {
  const fs::path path = work / "claim";
  const store::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open() && errno == ENOENT) return false;
  if (!file.is_open()) store::throw_system_error(errno, "read", path);
  return ::flock(file.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

ClaimOwner claim_owner(const fs::path& work) {
  try {
    const schema::Value owner = schema::parse_json(store::read_bytes(work / "claim"));
    const std::int64_t since = owner.at("time").as_int();
    const double seconds = static_cast<double>(store::now_in_microseconds() - since) / kMicroseconds;
    return {static_cast<int>(owner.at("pid").as_int()), owner.at("host").as_string(), clock_time(since), std::max(0.0, seconds), is_gone(owner)};
  } catch (const std::exception&) {
    return {};  // it has just begun, or just ended
  }
}

}  // namespace bgw::engine
