#include "runtime/engine/progress_file.h"

#include <fstream>

#include "runtime/store/clock.h"

namespace bgw::engine {
namespace {

constexpr std::int64_t kInterval = 200'000;  // microseconds

schema::Value to_value(const Progress& progress) {
  schema::Map numbers;
  for (const auto& [name, number] : progress.numbers) {
    numbers[name] = artifacts::number_or_none(number);
  }
  return schema::Map{{"time", store::now_in_microseconds()},
                     {"phase", progress.phase},
                     {"step", progress.step},
                     {"steps", progress.steps},
                     {"numbers", std::move(numbers)}};
}

std::optional<Progress> parse(const std::string& line) {
  try {
    const schema::Value value = schema::parse_json(line);
    Progress progress{value.at("phase").as_string(), value.at("step").as_int(), value.at("steps").as_int(), {}};
    for (const auto& [name, number] : value.at("numbers").as_map()) {
      if (number.is_number()) progress.numbers[name] = number.as_double();
    }
    return progress;
  } catch (const std::exception&) {
    return std::nullopt;  // a line of a killed writer; the next one is whole again
  }
}

}  // namespace

void ProgressWriter::report(const Progress& progress) {
  const std::int64_t now = store::now_in_microseconds();
  if (now - last_ < kInterval) {
    held_back_ = progress;
    return;
  }
  last_ = now;
  held_back_.reset();
  append(progress);
}

void ProgressWriter::flush() {
  if (held_back_) append(*held_back_);
  held_back_.reset();
}

// Progress is worth showing, not worth failing for: a full disk is noticed where it matters.
void ProgressWriter::append(const Progress& progress) {
  std::ofstream(file_, std::ios::app) << schema::to_json(to_value(progress)) + "\n" << std::flush;
}

ProgressReader::ProgressReader(std::filesystem::path file) : file_(std::move(file)) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(file_, error);
  if (!error) offset_ = size;
}

std::optional<Progress> ProgressReader::newest() {
  std::ifstream file(file_, std::ios::binary);
  if (!file.seekg(static_cast<std::streamoff>(offset_))) return std::nullopt;
  std::optional<Progress> newest;
  for (std::string line; std::getline(file, line) && !file.eof();) {
    offset_ += line.size() + 1;
    if (std::optional<Progress> progress = parse(line)) newest = std::move(progress);
  }
  return newest;
}

}  // namespace bgw::engine
