#include "runtime/engine/progress_file.h"

#include <fstream>

#include "runtime/store/clock.h"

namespace bgw::engine {
namespace {

constexpr std::int64_t kInterval = 200'000;  // microseconds

schema::Map entry_of(const Progress& progress) {
  schema::Map numbers;
  for (const auto& [name, number] : progress.numbers) {
    numbers[name] = artifacts::number_or_none(number);
  }
  return {{"phase", progress.phase}, {"step", progress.step}, {"steps", progress.steps}, {"numbers", std::move(numbers)}};
}

schema::Map entry_of(const Resumption& resumption) {
  schema::Map map{{"step", resumption.step}};
  if (resumption.age) map["age_s"] = *resumption.age;
  if (resumption.extends) map["extends"] = resumption.extends->hex();
  return {{"resumed", std::move(map)}};
}

Progress progress_from(const schema::Value& entry) {
  Progress progress{entry.at("phase").as_string(), entry.at("step").as_int(), entry.at("steps").as_int(), {}};
  for (const auto& [name, number] : entry.at("numbers").as_map()) {
    if (number.is_number()) progress.numbers[name] = number.as_double();
  }
  return progress;
}

Resumption resumption_from(const schema::Value& value) {
  Resumption resumption;
  resumption.step = value.at("step").as_int();
  if (value.has("age_s")) resumption.age = value.at("age_s").as_double();
  if (value.has("extends")) resumption.extends = plan::Key::from_hex(value.at("extends").as_string());
  return resumption;
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
  append(entry_of(progress));
}

void ProgressWriter::resumed(const Resumption& resumption) { append(entry_of(resumption)); }

void ProgressWriter::warn(const std::string& text) { append({{"warning", text}}); }

void ProgressWriter::flush() {
  if (held_back_) append(entry_of(*held_back_));
  held_back_.reset();
}

// Progress is worth showing, not worth failing for: a full disk is noticed where it matters.
void ProgressWriter::append(schema::Map entry) {
  entry["time"] = store::now_in_microseconds();
  std::ofstream(file_, std::ios::app) << schema::to_json(std::move(entry)) + "\n" << std::flush;
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
    read(line, newest);
  }
  return newest;
}

void ProgressReader::read(const std::string& line, std::optional<Progress>& newest) {
  try {
    const schema::Value entry = schema::parse_json(line);
    if (entry.has("warning")) {
      warnings_.push_back(entry.at("warning").as_string());
    } else if (entry.has("resumed")) {
      resumption_ = resumption_from(entry.at("resumed"));
    } else {
      newest = progress_from(entry);
    }
  } catch (const std::exception&) {
    // a line of a killed writer; the next one is whole again
  }
}

}  // namespace bgw::engine
