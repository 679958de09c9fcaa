#include "runtime/engine/checkpoints.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "compiler/plan/sha256.h"
#include "runtime/foundation/errors.h"
#include "runtime/store/durable_file.h"
#include "runtime/store/hdf5_file.h"

namespace bgw::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "ckpt-";
constexpr std::string_view kSuffix = ".h5";
constexpr std::string_view kBad = ".bad";
constexpr std::size_t kSealSize = 64;

std::optional<int> number_of(const fs::path& path) {
  const std::string name = path.filename().string();
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return std::nullopt;
  const char* first = name.data() + kPrefix.size();
  const char* last = name.data() + name.size() - kSuffix.size();
  int number = 0;
  const auto [end, error] = std::from_chars(first, last, number);
  if (error != std::errc() || end != last) return std::nullopt;
  return number;
}

// A name for a bad file that takes the place of no earlier one.
fs::path unused_name(const fs::path& path) {
  std::error_code ignored;
  fs::path aside = path.string() + std::string(kBad);
  for (int number = 2; fs::exists(aside, ignored); ++number) aside = fmt::format("{}-{}{}", path.string(), number, kBad);
  return aside;
}

// The claim goes last: from then on the directory belongs to whoever makes the next one, perhaps this very moment.
void empty(const fs::path& directory, const std::function<bool(const std::string& name)>& stays) {
  const fs::path claim = directory / "claim";
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    if (entry.path() != claim && !stays(entry.path().filename().string())) fs::remove_all(entry.path(), ignored);
  }
  fs::remove(claim, ignored);
  fs::remove(directory, ignored);  // stays where something in it stays
}

std::string seal_of(const plan::Key& key, std::string_view image) {
  return plan::sha256(key.hex() + plan::sha256(image).hex()).hex();
}

artifacts::Artifact open_sealed(const plan::Key& key, const std::string& bytes) {
  if (bytes.size() < kSealSize) throw StoreError("it is cut short");
  const std::string_view image = std::string_view(bytes).substr(0, bytes.size() - kSealSize);
  if (bytes.substr(image.size()) != seal_of(key, image)) throw StoreError("it is cut short, changed, or of another task");
  return store::decode_hdf5(image);
}

}  // namespace

Checkpoints::Checkpoints(fs::path directory, const plan::Key& key, std::size_t keep)
    : directory_(std::move(directory)), key_(key), keep_(std::max<std::size_t>(1, keep)) {}

fs::path Checkpoints::file(int number) const { return directory_ / fmt::format("{}{}{}", kPrefix, number, kSuffix); }

std::vector<int> Checkpoints::numbers() const {
  std::vector<int> numbers;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory_, ignored)) {
    if (const std::optional<int> number = number_of(entry.path())) numbers.push_back(*number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

std::optional<artifacts::Artifact> Checkpoints::load(const std::function<void(const std::string&)>& warn) {
  std::vector<int> candidates = numbers();
  const bool any = !candidates.empty();
  for (; !candidates.empty(); candidates.pop_back()) {
    const fs::path path = file(candidates.back());
    std::string bytes;
    try {
      bytes = store::read_bytes(path);
    } catch (const StoreError& cause) {  // of the disk or the rights, not of the file: it may be read another time
      warn(fmt::format("checkpoint {} cannot be read ({})", path.filename().string(), cause.what()));
      continue;
    }
    try {
      return open_sealed(key_, bytes);
    } catch (const StoreError& cause) {
      const fs::path aside = unused_name(path);
      std::error_code ignored;
      fs::rename(path, aside, ignored);
      warn(fmt::format("checkpoint {} is not usable ({}); kept as {}", path.filename().string(), cause.what(),
                       aside.filename().string()));
    }
  }
  if (any) warn("no checkpoint is usable");
  return std::nullopt;
}

void Checkpoints::save(const artifacts::Artifact& state) {
  std::vector<int> old = numbers();
  std::string bytes = store::encode_hdf5(state);
  bytes += seal_of(key_, bytes);
  store::replace_durably(file(old.empty() ? 1 : old.back() + 1), bytes);
  const std::size_t excess = old.size() + 1 > keep_ ? old.size() + 1 - keep_ : 0;
  std::error_code ignored;
  for (std::size_t i = 0; i < excess; ++i) fs::remove(file(old[i]), ignored);
}

void Checkpoints::remove_all() {
  std::error_code ignored;
  for (const int number : numbers()) fs::remove(file(number), ignored);
}

void clear_work(const fs::path& directory) {
  empty(directory, [](const std::string& name) { return name.ends_with(kBad); });
}

void remove_work(const fs::path& directory) {
  empty(directory, [](const std::string&) { return false; });
}

std::vector<CheckpointFile> look_at_checkpoints(const fs::path& directory, const plan::Key& key) {
  std::vector<CheckpointFile> files;
  for (const fs::path& path : store::entries_of(directory)) {
    if (!number_of(path)) continue;
    try {
      open_sealed(key, store::read_bytes(path));
      files.push_back({path, ""});
    } catch (const store::Unreadable&) {
      throw;
    } catch (const StoreError& problem) {
      if (store::is_there(path)) files.push_back({path, problem.what()});
    }
  }
  return files;
}

std::optional<fs::file_time_type> newest_checkpoint_time(const fs::path& directory) {
  std::optional<fs::file_time_type> newest;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (!number_of(entry.path())) continue;
    const fs::file_time_type time = fs::last_write_time(entry.path(), error);
    if (!error && (!newest || time > *newest)) newest = time;
  }
  return newest;
}

}  // namespace bgw::engine
