// Why a directory that appears by renaming: HDF5 gives no promise for a file whose writer was killed, and a database row
// written before the file is a lie after a crash. A renamed directory is there whole or not at all, needs no lock and no
// recovery, and its manifest proves it without the database.
#include "runtime/store/object_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>

#include "compiler/plan/preimage.h"
#include "compiler/plan/sha256.h"
#include "runtime/foundation/errors.h"
#include "runtime/store/clock.h"
#include "runtime/store/durable_file.h"
#include "runtime/store/hdf5_file.h"
#include "runtime/store/task_json.h"

namespace bgw::store {
namespace {

namespace fs = std::filesystem;

constexpr const char* kResult = "result.h5";
constexpr const char* kManifest = "manifest.json";
constexpr const char* kTask = "task.json";
constexpr const char* kLog = "log.txt";

[[noreturn]] void throw_damaged(const plan::Key& key, const fs::path& where, const std::string& cause) {
  throw StoreError(fmt::format("object {} is damaged ({}): {}; the next `bgw run` moves it aside and makes it again",
                               key.short_hex(), cause, where.string()));
}

std::string read_if_there(const fs::path& path) { return is_there(path) ? read_bytes(path) : std::string(); }

// A directory in the making; it vanishes unless it was renamed away.
class Draft {
 public:
  explicit Draft(fs::path where) : where_(std::move(where)) { make_directories(where_); }
  ~Draft() {
    std::error_code ignored;
    fs::remove_all(where_, ignored);
  }
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;
  const fs::path& where() const { return where_; }

 private:
  fs::path where_;
};

// Drafts of attempts that were killed; the claim on the task guarantees that nobody writes them now.
void remove_old_drafts(const fs::path& work) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(work, ignored)) {
    if (entry.path().filename().string().starts_with("out.")) fs::remove_all(entry.path(), ignored);
  }
}

Manifest make_manifest(const plan::TaskSpec& spec, const artifacts::Artifact& artifact, const Provenance& provenance) {
  Manifest manifest;
  manifest.key = spec.key;
  manifest.name = spec.name;
  manifest.kind = spec.kind;
  manifest.version = spec.version;
  manifest.preimage = plan::preimage(spec);
  for (const plan::TaskInput& input : spec.inputs) manifest.inputs[input.role] = input.key;
  manifest.results = artifact.results;
  manifest.cost = artifact.cost;
  manifest.provenance = provenance;
  return manifest;
}

// "" when all files have their sizes, else which one has not. A size that the system does not tell is no wrong size.
std::string odd_size(const fs::path& object, const Manifest& manifest) {
  for (const auto& [name, file] : manifest.files) {
    if (!is_there(object / name)) return fmt::format("{} is missing", name);
    std::error_code error;
    const std::uintmax_t bytes = fs::file_size(object / name, error);
    if (error) throw Unreadable(fmt::format("cannot read {}: {}", (object / name).string(), error.message()));
    if (bytes != file.bytes) return fmt::format("{} has {} bytes, not {}", name, bytes, file.bytes);
  }
  return "";
}

std::string odd_checksum(const fs::path& object, const Manifest& manifest) {
  for (const auto& [name, file] : manifest.files) {
    if (plan::sha256(read_bytes(object / name)) != file.sha256) return fmt::format("the checksum of {} does not fit", name);
  }
  return "";
}

// Which of the objects that stood at a place after one another it is; 0 for none.
ino_t number_of(const fs::path& object) {
  struct stat status{};
  return ::stat(object.c_str(), &status) == 0 ? status.st_ino : 0;
}

// With --force another run may put a new object in the place of an old one while that is read. The manifest of the one
// and a file of the other do not fit, and nothing is damaged: what was found wrong counts when it is of one object.
template <class Read, class Good>
auto of_one_object(const fs::path& object, const Read& read, const Good& is_good) {
  for (;;) {
    const ino_t before = number_of(object);
    try {
      auto found = read();
      if (is_good(found) || number_of(object) == before) return found;
    } catch (const StoreError&) {
      if (number_of(object) == before) throw;
    }
  }
}

template <class Read>
auto of_one_object(const fs::path& object, const Read& read) {
  return of_one_object(object, read, [](const auto&) { return true; });
}

ObjectReport report_on(const std::string& cause) {
  return {cause.empty() ? ObjectState::sound : ObjectState::damaged, cause};
}

std::string checked_bytes(const Layout& layout, const Manifest& manifest, const std::string& name) {
  const fs::path where = layout.object(manifest.key) / name;
  const auto file = manifest.files.find(name);
  if (file == manifest.files.end()) throw_damaged(manifest.key, where, "its manifest does not name " + name);
  std::string bytes = read_bytes(where);
  if (plan::sha256(bytes) != file->second.sha256) throw_damaged(manifest.key, where, "its checksum does not fit");
  return bytes;
}

}  // namespace

ObjectReport ObjectStore::look(const plan::Key& key, bool read_all) const {
  return of_one_object(layout_.object(key), [&] { return look_once(key, read_all); },
                       [](const ObjectReport& report) { return report.state != ObjectState::damaged; });
}

ObjectReport ObjectStore::look_once(const plan::Key& key, bool read_all) const {
  const fs::path where = layout_.object(key);
  if (!is_there(where)) return {};
  try {
    const Manifest known = parse_own_manifest(key);
    const std::string cause = odd_size(where, known);
    return report_on(cause.empty() && read_all ? odd_checksum(where, known) : cause);
  } catch (const Unreadable&) {
    throw;  // that is neither sound nor damaged
  } catch (const std::runtime_error& cause) {
    return is_there(where) ? report_on(fmt::format("{}: {}", kManifest, cause.what())) : ObjectReport{};
  }
}

ObjectState ObjectStore::quick_look(const plan::Key& key) const { return look(key, false).state; }

ObjectState ObjectStore::verify(const plan::Key& key) const { return look(key, true).state; }

ObjectReport ObjectStore::inspect(const plan::Key& key) const {
  try {
    return look(key, true);
  } catch (const Unreadable& cause) {
    return {ObjectState::unreadable, cause.what()};
  }
}

Manifest ObjectStore::parse_own_manifest(const plan::Key& key) const {
  Manifest manifest = parse_manifest(read_bytes(layout_.object(key) / kManifest));
  if (manifest.key != key) throw std::runtime_error("it belongs to another key");
  return manifest;
}

std::string ObjectStore::stamp(const plan::Key& key) const {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(layout_.object(key).c_str()), ::closedir);
  if (!directory) return "";
  std::vector<std::string> files;
  while (const dirent* entry = ::readdir(directory.get())) {
    struct stat status{};
    if (::fstatat(::dirfd(directory.get()), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode)) continue;
    files.push_back(fmt::format("{} {} {} {}.{:09} {}.{:09};", entry->d_name, status.st_ino, status.st_size, status.st_mtim.tv_sec,
                                status.st_mtim.tv_nsec, status.st_ctim.tv_sec, status.st_ctim.tv_nsec));
  }
  std::sort(files.begin(), files.end());
  return fmt::format("{}", fmt::join(files, ""));
}

Manifest ObjectStore::manifest(const plan::Key& key) const {
  const fs::path where = layout_.object(key);
  if (!is_there(where)) {
    throw StoreError(fmt::format("object {} is not in the cache {}; `bgw run` makes it", key.short_hex(), layout_.root.string()));
  }
  try {
    return parse_own_manifest(key);
  } catch (const Unreadable&) {
    throw;
  } catch (const std::runtime_error& cause) {
    throw_damaged(key, where / kManifest, cause.what());
  }
}

std::optional<Manifest> ObjectStore::find_manifest(const plan::Key& key) const {
  const auto find = [&]() -> std::optional<Manifest> {
    try {
      if (!is_there(layout_.object(key))) return std::nullopt;
      Manifest found = parse_own_manifest(key);
      if (odd_size(layout_.object(key), found).empty()) return found;
    } catch (const Unreadable&) {
      throw;
    } catch (const std::runtime_error&) {
      // damaged: there is no result to show
    }
    return std::nullopt;
  };
  return of_one_object(layout_.object(key), find, [](const std::optional<Manifest>& found) { return found.has_value(); });
}

plan::TaskSpec ObjectStore::task(const plan::Key& key) const {
  const fs::path where = layout_.object(key) / kTask;
  const Manifest known = manifest(key);
  try {
    return parse_task(read_bytes(where));
  } catch (const Unreadable&) {
    throw;
  } catch (const std::runtime_error& cause) {
    throw_damaged(key, where, cause.what());
  }
}

artifacts::Artifact ObjectStore::load(const plan::Key& key) const {
  return of_one_object(layout_.object(key), [&] {
    const Manifest known = manifest(key);
    artifacts::Artifact artifact = decode_hdf5(checked_bytes(layout_, known, kResult));
    artifact.cost = known.cost;
    return artifact;
  });
}

std::string ObjectStore::load_file(const plan::Key& key, const std::string& name) const {
  return of_one_object(layout_.object(key), [&] { return checked_bytes(layout_, manifest(key), name); });
}

void ObjectStore::publish(const plan::TaskSpec& spec, const artifacts::Artifact& artifact, const Provenance& provenance,
                          const StepHook& before_step, Existing existing, const ExtraFiles& extra) const {
  const auto step = [&](const char* name) {
    if (before_step) before_step(name);
  };
  const fs::path work = layout_.work(spec.key);
  remove_old_drafts(work);
  const Draft draft(work / ("out." + random_token()));
  Manifest manifest = make_manifest(spec, artifact, provenance);
  const auto put = [&](const std::string& name, const std::string& bytes) {
    step(name.c_str());
    write_durably(draft.where() / name, bytes);
    manifest.files[name] = {bytes.size(), plan::sha256(bytes)};
  };
  put(kResult, encode_hdf5(artifact));
  for (const auto& [name, bytes] : extra) put(name, bytes);
  put(kTask, to_json(spec));
  put(kLog, read_if_there(work / kLog));
  step(kManifest);
  write_durably(draft.where() / kManifest, to_json(manifest));
  step("sync draft");
  sync_directory(draft.where());

  const fs::path place = layout_.object(spec.key);
  make_directories(place.parent_path());
  sync_directory(layout_.objects());
  step("rename");
  if (!rename_without_replacing(draft.where(), place)) {
    if (existing == Existing::is_replaced) {
      exchange(draft.where(), place);  // the old one lies in the draft now and goes with it
    } else if (verify(spec.key) == ObjectState::damaged) {
      set_aside(spec.key);
      rename_without_replacing(draft.where(), place);
    }
  }
  step("sync parent");
  sync_directory(place.parent_path());
}

std::optional<fs::path> ObjectStore::set_aside(const plan::Key& key) const {
  make_directories(layout_.damaged());
  const fs::path place = layout_.damaged() / fmt::format("{}.{}", key.hex(), random_token());
  if (::rename(layout_.object(key).c_str(), place.c_str()) == 0) return place;
  if (errno == ENOENT) return std::nullopt;
  throw_system_error(errno, "rename to", place);
}

std::vector<plan::Key> ObjectStore::keys() const {
  std::vector<plan::Key> keys;
  for (const fs::path& shelf : entries_of(layout_.objects())) {
    for (const fs::path& object : entries_of(shelf)) {
      if (const std::optional<plan::Key> key = key_named(object)) keys.push_back(*key);
    }
  }
  std::sort(keys.begin(), keys.end());
  return keys;
}

}  // namespace bgw::store
