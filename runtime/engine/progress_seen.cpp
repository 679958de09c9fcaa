#include "runtime/engine/progress_seen.h"

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

namespace bgw::engine {
namespace {

struct Entry {
  std::int64_t time = 0;  // UTC, microseconds
  Progress progress;
};

std::optional<Entry> parse(const std::string& line) {
  try {
    const schema::Value value = schema::parse_json(line);
    if (!value.has("phase")) return std::nullopt;  // the file tells of other things, too
    Entry entry{value.at("time").as_int(), {value.at("phase").as_string(), value.at("step").as_int(), value.at("steps").as_int(), {}}};
    for (const auto& [name, number] : value.at("numbers").as_map()) {
      if (number.is_number()) entry.progress.numbers[name] = number.as_double();
    }
    return entry;
  } catch (const std::exception&) {
    return std::nullopt;  // a line of a killed writer; the next one is whole again
  }
}

// The last entries of a file, oldest first: enough for a pace, however long the file.
std::vector<Entry> last_entries(const std::filesystem::path& path) {
  constexpr std::streamoff kEnough = 65536;  // bytes
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return {};
  const std::streamoff size = file.tellg();
  file.seekg(std::max<std::streamoff>(0, size - kEnough));
  std::vector<Entry> entries;
  for (std::string line; std::getline(file, line) && !file.eof();) {
    if (std::optional<Entry> entry = parse(line)) entries.push_back(*std::move(entry));
  }
  return entries;
}

}  // namespace

std::optional<ProgressSeen> last_progress(const std::filesystem::path& file, std::int64_t begin) {
  const std::vector<Entry> entries = last_entries(file);
  if (entries.empty()) return std::nullopt;
  const Entry& newest = entries.back();
  // The pace is that of the newest phase since this attempt took it up; steps go back where an attempt begins.
  std::size_t first = entries.size() - 1;
  while (first > 0 && entries[first - 1].time >= begin && entries[first - 1].progress.phase == newest.progress.phase &&
         entries[first - 1].progress.step <= entries[first].progress.step) {
    --first;
  }
  const double seconds = static_cast<double>(newest.time - entries[first].time) * 1e-6;
  const auto steps = static_cast<double>(newest.progress.step - entries[first].progress.step);
  ProgressSeen seen{newest.progress, newest.time, 0, std::nullopt};
  if (first + 1 < entries.size()) seen.seconds_between = seconds / static_cast<double>(entries.size() - 1 - first);
  if (newest.progress.steps > 0 && steps > 0 && seconds > 0) {
    seen.seconds_left = seconds / steps * static_cast<double>(std::max<std::int64_t>(0, newest.progress.steps - newest.progress.step));
  }
  return seen;
}

std::optional<std::int64_t> step_told_before(const std::filesystem::path& file, std::int64_t time) {
  std::optional<std::int64_t> step;
  for (const Entry& entry : last_entries(file)) {
    if (entry.time <= time) step = entry.progress.step;
  }
  return step;
}

}  // namespace bgw::engine
