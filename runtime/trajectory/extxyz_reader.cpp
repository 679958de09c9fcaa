#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <map>
#include <sstream>

#include "runtime/crystal/structure.h"
#include "runtime/crystal/text_lines.h"
#include "runtime/foundation/errors.h"
#include "runtime/trajectory/frame_reader.h"

namespace bgw::trajectory {
namespace {

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
      double value = std::numeric_limits<double>::quiet_NaN();
      std::istringstream(found->second) >> value;
      if (!std::isfinite(value)) throw InputError(fmt::format("{}:2: {} is a number, it is '{}'", place, key, found->second));
      return value;
    };
    frame.step = static_cast<std::int64_t>(number("step").value_or(static_cast<double>(count_ - 1)));
    frame.time = number("time");
    frame.log_weight = number("log_weight");
    if (!frame.log_weight) {
      if (const auto weight = number("weight")) frame.log_weight = std::log(*weight);
    }
    if (const auto chain = number("chain")) frame.chain = static_cast<std::int64_t>(*chain);
  }

  std::string name_;
  std::ifstream stream_;
  std::int64_t count_ = 0;
};

}  // namespace

std::unique_ptr<FrameReader> open_extxyz_frames(const std::filesystem::path& file) { return std::make_unique<ExtxyzFrameReader>(file); }

}  // namespace bgw::trajectory
