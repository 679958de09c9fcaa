#include "runtime/cli/cache_findings.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "runtime/foundation/errors.h"
#include "runtime/store/cache.h"
#include "runtime/store/clock.h"
#include "runtime/store/durable_file.h"
#include "runtime/store/file_system.h"
#include "runtime/store/run_history.h"

namespace bgw::cli {
namespace {

namespace fs = std::filesystem;

// A folder for a try-out, on the file system of the cache; it is gone at the end of the scope.
class TryOut {
 public:
  explicit TryOut(fs::path where) : where_(std::move(where)) { store::make_directories(where_); }
  ~TryOut() {
    std::error_code ignored;
    fs::remove_all(where_, ignored);
  }
  TryOut(const TryOut&) = delete;
  TryOut& operator=(const TryOut&) = delete;
  const fs::path& where() const { return where_; }

 private:
  fs::path where_;
};

fs::path nearest_folder(fs::path path) {
  std::error_code error;
  path = fs::absolute(path).lexically_normal();
  while (!fs::is_directory(path, error) && path != path.parent_path()) path = path.parent_path();
  return path;
}

Finding lock_finding(const fs::path& folder) {
  const fs::path file = folder / "claim";
  const store::Descriptor first(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  const store::Descriptor second(::open(file.c_str(), O_RDWR | O_CLOEXEC));
  if (::flock(first.get(), LOCK_EX | LOCK_NB) != 0) {
    return {"locks", Verdict::bad, fmt::format("flock does not work there: {}", std::strerror(errno)),
            "choose a place on a local disk with --cache, or have the file system mounted with flock"};
  }
  if (::flock(second.get(), LOCK_EX | LOCK_NB) == 0) {
    return {"locks", Verdict::bad, "two can hold the same flock there: two runs would do the same task",
            "choose a place on a local disk with --cache"};
  }
  return {"locks", Verdict::ok, "flock works", ""};
}

Finding rename_finding(const fs::path& folder) {
  const fs::path first = folder / "first";
  const fs::path second = folder / "second";
  store::make_directories(first);
  store::make_directories(second / "not empty");
  const bool replaced = store::rename_without_replacing(first, second);
  store::sync_directory(folder);
  if (replaced) return {"publishing", Verdict::bad, "a folder can be renamed onto another there: a result could be lost", "choose a place on a local disk with --cache"};
  return {"publishing", Verdict::ok, "renames do not replace", ""};
}

Finding database_finding(const fs::path& file) {
  std::error_code error;
  if (!fs::exists(file, error)) return {"database", Verdict::ok, "none yet", ""};
  try {
    const store::Cache cache = store::Cache::look(file.parent_path());  // knows what it can read
    store::RunHistory history(file);
    return {"database", Verdict::ok, fmt::format("schema {}, {}", history.schema(), history.uses_wal() ? "WAL" : "without WAL"), ""};
  } catch (const StoreError& cause) {
    return {"database", Verdict::bad, cause.what(), "`bgw cache rebuild` enters all results anew"};
  }
}

Finding place_finding(const fs::path& cache, const store::FileSystem& system) {
  const std::string text = fmt::format("{} on {}, {:.1f} GB free", fs::absolute(cache).lexically_normal().string(), system.name, system.free_bytes * 1e-9);
  constexpr double kLittle = 1e9;  // bytes
  if (system.free_bytes > 0 && system.free_bytes < kLittle) return {"cache", Verdict::warn, text, "make room, or choose another place with --cache"};
  if (system.network) return {"cache", Verdict::warn, text + ", over a network or like one: the database works without WAL", "a local disk is quicker: --cache"};
  if (system.in_memory) return {"cache", Verdict::warn, text + ", in memory: results are gone when the machine is restarted", "choose another place with --cache"};
  return {"cache", Verdict::ok, text, ""};
}

}  // namespace

Findings cache_findings(const fs::path& cache) {
  Findings findings{place_finding(cache, store::file_system_of(cache))};
  try {
    const TryOut folder(nearest_folder(cache) / fmt::format(".bgw-doctor-{}", store::random_token()));
    store::write_durably(folder.where() / "file", "written");
    findings.push_back(lock_finding(folder.where()));
    findings.push_back(rename_finding(folder.where()));
  } catch (const StoreError& cause) {
    findings.push_back({"cache", Verdict::bad, cause.what(), "choose a place that can be written with --cache"});
  }
  findings.push_back(database_finding(cache / "db.sqlite"));
  return findings;
}

}  // namespace bgw::cli
