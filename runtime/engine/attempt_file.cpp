#include "runtime/engine/attempt_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>

#include "compiler/schema/value.h"
#include "runtime/store/clock.h"
#include "runtime/store/durable_file.h"

namespace bgw::engine {
namespace {

std::string utc_text(std::int64_t microseconds) {
  const std::time_t seconds = microseconds / 1'000'000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32] = {};
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
  return text;
}

}  // namespace

void announce_attempt(const std::filesystem::path& work, int cpus) {
  const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
  const AttemptFile now{static_cast<int>(::getpid()), store::host_name(), store::now_in_microseconds(), cpus,
                        visible == nullptr ? "" : visible};
  fmt::print(stderr, "{}{}, pid {} on {}, cpus: {}{}\n", kAttemptLine, utc_text(now.started), now.pid, now.host, now.cpus,
             now.gpus.empty() ? "" : ", gpus: " + now.gpus);
  std::fflush(stderr);
  std::ofstream(work / "attempt.json")
      << schema::to_json(schema::Map{{"pid", now.pid}, {"host", now.host}, {"started", now.started}, {"cpus", now.cpus}, {"gpus", now.gpus}});
}

std::optional<AttemptFile> read_attempt_file(const std::filesystem::path& work) {
  try {
    const schema::Value told = schema::parse_json(store::read_bytes(work / "attempt.json"));
    return AttemptFile{static_cast<int>(told.at("pid").as_int()), told.at("host").as_string(), told.at("started").as_int(),
                       static_cast<int>(told.at("cpus").as_int()), told.at("gpus").as_string()};
  } catch (const std::exception&) {
    return std::nullopt;  // not begun yet, or the disk did not take it
  }
}

}  // namespace bgw::engine
