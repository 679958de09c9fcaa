#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <fstream>
#include <map>

#include "runtime/crystal/structure.h"
#include "runtime/crystal/text_lines.h"
#include "runtime/foundation/errors.h"
#include "runtime/trajectory/frame_reader.h"

namespace bgw::trajectory {
namespace {

/// @param what  with its place, for messages
double finite_number(const std::string& word, const std::string& what) {
  double value = 0;
  const char* const begin = word.data() + (word.starts_with('+') ? 1 : 0);  // from_chars takes no plus sign
  const char* const end = word.data() + word.size();
  const auto [stop, error] = std::from_chars(begin, end, value);
  if (error != std::errc() || stop != end || !std::isfinite(value)) {
    throw InputError(fmt::format("{} is a finite number, it is '{}'", what, word));
  }
  return value;
}

class ExtxyzFrameReader : public FrameReader {
 public:
  explicit ExtxyzFrameReader(const std::filesystem::path& file) : name_(file.string()), stream_(file, std::ios::binary) {
    if (!stream_) throw StoreError(fmt::format("cannot read {}", name_));
  }

  std::optional<Frame> next() override {
    std::string text, comment;
    if (!take(text, comment)) return std::nullopt;
    const std::string place = fmt::format("{}, configuration {}", name_, ++count_);
    const crystal::Structure structure = crystal::parse_extxyz(text, place);
    Frame frame;
    frame.positions = structure.positions;
    frame.cell = structure.cell;
    frame.species = structure.species;
    take_keys(frame, comment, place);
    return frame;
  }

 private:
  /// The lines of the next configuration; false where none is left.
  bool take(std::string& text, std::string& comment) {
    std::string line;
    do {
      if (!std::getline(stream_, line)) return false;
    } while (crystal::words_of(line).empty());
    text = line + "\n";
    std::size_t atoms = 0;
    const std::vector<std::string> words = crystal::words_of(line);
    if (words.size() != 1 || !crystal::is_count(words[0], atoms)) return true;  // the parser says what is wrong
    if (std::getline(stream_, comment)) text += comment + "\n";
    for (std::size_t i = 0; i < atoms && std::getline(stream_, line); ++i) text += line + "\n";
    return true;
  }

  void take_keys(Frame& frame, const std::string& comment, const std::string& place) const {
    const std::map<std::string, std::string> keys = crystal::extxyz_keys(comment, place);
    const auto number = [&](const char* key) -> std::optional<double> {
      const auto found = keys.find(key);
      if (found == keys.end()) return std::nullopt;
      return finite_number(found->second, fmt::format("{}:2: {}", place, key));
    };
    const auto whole_number = [&](const char* key) -> std::optional<std::int64_t> {
      const auto value = number(key);
      if (!value) return std::nullopt;
      constexpr double kExact = 9007199254740992.0;  // 2^53: from there on doubles skip whole numbers
      if (*value != std::floor(*value) || std::abs(*value) >= kExact) {
        throw InputError(fmt::format("{}:2: {} is a whole number, it is '{}'", place, key, keys.at(key)));
      }
      return static_cast<std::int64_t>(*value);
    };
    frame.step = whole_number("step").value_or(count_ - 1);
    frame.time = number("time");
    frame.log_weight = number("log_weight");
    if (!frame.log_weight) {
      if (const auto weight = number("weight")) frame.log_weight = std::log(*weight);
    }
    frame.chain = whole_number("chain");
  }

  std::string name_;
  std::ifstream stream_;
  std::int64_t count_ = 0;
};

}  // namespace

std::unique_ptr<FrameReader> open_extxyz_frames(const std::filesystem::path& file) { return std::make_unique<ExtxyzFrameReader>(file); }

}  // namespace bgw::trajectory
