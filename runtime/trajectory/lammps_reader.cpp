#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fstream>
#include <map>

#include "runtime/crystal/text_lines.h"
#include "runtime/foundation/errors.h"
#include "runtime/trajectory/frame_reader.h"

// Text dumps of LAMMPS (`dump … atom` and `dump … custom` with an id and positions in any of their forms).
namespace bgw::trajectory {
namespace {

using crystal::Vector3;

/// How positions stand in the columns of a dump.
struct Columns {
  std::optional<std::size_t> id, type, element;
  std::array<std::size_t, 3> position{};
  bool scaled = false;
  std::size_t count = 0;
};

std::optional<std::size_t> place_of(const std::vector<std::string>& names, const std::string& name) {
  const auto found = std::find(names.begin(), names.end(), name);
  return found == names.end() ? std::nullopt : std::optional(static_cast<std::size_t>(found - names.begin()));
}

class LammpsFrameReader : public FrameReader {
 public:
  explicit LammpsFrameReader(const std::filesystem::path& file) : name_(file.string()), stream_(file, std::ios::binary) {
    if (!stream_) throw StoreError(fmt::format("cannot read {}", name_));
  }

  std::optional<Frame> next() override {
    if (!next_item()) return std::nullopt;
    Frame frame;
    std::size_t atoms = 0;
    std::optional<double> time;
    for (;;) {
      if (item_.starts_with("TIMESTEP")) {
        frame.step = whole_number(only_word("the timestep"), "the timestep");
      } else if (item_.starts_with("TIME")) {
        time = time_from(only_word("the time"));
      } else if (item_.starts_with("NUMBER OF ATOMS")) {
        if (!crystal::is_count(only_word("the number of atoms"), atoms)) fail("the number of atoms is a number above zero");
      } else if (item_.starts_with("BOX BOUNDS")) {
        read_box(frame);
      } else if (item_.starts_with("ATOMS")) {
        read_atoms(frame, atoms);
        if (time) frame.time = *time * time_unit_;
        return frame;
      } else if (item_.starts_with("UNITS")) {
        time_unit_ = time_unit_of(only_word("the units"));
      } else {
        read_line();  // what later versions add: a line each
      }
      if (!next_item()) fail("the file ends within a configuration");
    }
  }

 private:
  crystal::Line here() const { return {line_, number_, &name_}; }
  [[noreturn]] void fail(const std::string& problem) const { here().fail(problem); }

  bool read_line() {
    if (!std::getline(stream_, line_)) return false;
    ++number_;
    return true;
  }

  bool next_item() {
    do {
      if (!read_line()) return false;
    } while (crystal::words_of(line_).empty());
    constexpr std::string_view kItem = "ITEM: ";
    if (!line_.starts_with(kItem)) fail("a dump of LAMMPS has a line beginning with 'ITEM: ' here");
    item_ = line_.substr(kItem.size());
    return true;
  }

  std::string only_word(const char* what) {
    if (!read_line()) fail(fmt::format("the file ends before {}", what));
    const std::vector<std::string> words = crystal::words_of(line_);
    if (words.size() != 1) fail(fmt::format("{} is one number, here are {}", what, words.size()));
    return words[0];
  }

  /// Steps and ids of any size, where lengths have a limit.
  std::int64_t whole_number(const std::string& word, const char* what) const {
    std::int64_t number = 0;
    const char* const end = word.data() + word.size();
    const auto [stop, error] = std::from_chars(word.data(), end, number);
    if (error != std::errc() || stop != end) fail(fmt::format("{} is a whole number, it is '{}'", what, word));
    return number;
  }

  double time_from(const std::string& word) const {
    double time = 0;
    const char* const end = word.data() + word.size();
    const auto [stop, error] = std::from_chars(word.data(), end, time);
    if (error != std::errc() || stop != end || !std::isfinite(time)) fail(fmt::format("the time is a number, it is '{}'", word));
    return time;
  }

  /// In fs; of `lj` in those.
  double time_unit_of(const std::string& units) const {
    static const std::map<std::string, double> known{{"real", 1.0},     {"metal", 1e3}, {"lj", 1.0},    {"electron", 1.0},
                                                     {"nano", 1e6},     {"micro", 1e9}, {"si", 1e15},   {"cgs", 1e15}};
    const auto found = known.find(units);
    if (found == known.end()) fail(fmt::format("LAMMPS has no units '{}'", units));
    return found->second;
  }

  /// Bounds are those of the box around the cell; the tilts give the cell.
  void read_box(Frame& frame) {
    if (item_.find("abc origin") != std::string::npos) return read_general_box(frame);
    const bool tilted = item_.find("xy xz yz") != std::string::npos;
    if (const std::vector<std::string> words = crystal::words_of(item_);
        std::any_of(words.begin() + 2, words.end(), [](const std::string& word) { return word != "pp" && word.find_first_of("fsm") != std::string::npos && word.size() == 2; })) {
      fail("bgw computes crystals, periodic in three directions; write `boundary p p p` in LAMMPS");
    }
    std::array<double, 3> low{}, high{}, tilt{};
    for (std::size_t d = 0; d < 3; ++d) {
      const std::vector<double> numbers = numbers_of_line(tilted ? 3 : 2, "the bounds of the box");
      low[d] = numbers[0];
      high[d] = numbers[1];
      if (tilted) tilt[d] = numbers[2];
    }
    const double xy = tilt[0], xz = tilt[1], yz = tilt[2];
    low[0] -= std::min({0.0, xy, xz, xy + xz});
    high[0] -= std::max({0.0, xy, xz, xy + xz});
    low[1] -= std::min(0.0, yz);
    high[1] -= std::max(0.0, yz);
    frame.cell = {{{high[0] - low[0], 0, 0}, {xy, high[1] - low[1], 0}, {xz, yz, high[2] - low[2]}}};
    origin_ = {low[0], low[1], low[2]};
  }

  void read_general_box(Frame& frame) {
    for (std::size_t k = 0; k < 3; ++k) {
      const std::vector<double> numbers = numbers_of_line(4, "a vector of the box and its origin");
      frame.cell[k] = {numbers[0], numbers[1], numbers[2]};
      origin_[k] = numbers[3];
    }
  }

  std::vector<double> numbers_of_line(std::size_t count, const char* what) {
    if (!read_line()) fail(fmt::format("the file ends before {}", what));
    const std::vector<std::string> words = crystal::words_of(line_);
    if (words.size() != count) fail(fmt::format("{}: {} numbers, here are {}", what, count, words.size()));
    std::vector<double> numbers;
    for (const std::string& word : words) numbers.push_back(crystal::number_from(word, here(), what));
    return numbers;
  }

  Columns columns() const {
    std::vector<std::string> names = crystal::words_of(item_);
    names.erase(names.begin());
    Columns columns;
    columns.count = names.size();
    columns.id = place_of(names, "id");
    columns.type = place_of(names, "type");
    columns.element = place_of(names, "element");
    struct Form {
      std::array<const char*, 3> names;
      bool scaled;
    };
    static constexpr std::array<Form, 4> kForms{{{{"xu", "yu", "zu"}, false}, {{"x", "y", "z"}, false}, {{"xsu", "ysu", "zsu"}, true}, {{"xs", "ys", "zs"}, true}}};
    for (const Form& form : kForms) {
      const auto x = place_of(names, form.names[0]), y = place_of(names, form.names[1]), z = place_of(names, form.names[2]);
      if (!x || !y || !z) continue;
      columns.position = {*x, *y, *z};
      columns.scaled = form.scaled;
      return columns;
    }
    fail(fmt::format("the dump has no positions: write x y z, xu yu zu, xs ys zs or xsu ysu zsu; it has {}", fmt::join(names, " ")));
  }

  void read_atoms(Frame& frame, std::size_t atoms) {
    if (atoms == 0) fail("the number of atoms does not stand before the atoms");
    if (frame.cell[0][0] == 0 && frame.cell[0][1] == 0 && frame.cell[0][2] == 0) fail("the bounds of the box do not stand before the atoms");
    const Columns columns = this->columns();
    struct Atom {
      std::int64_t id;
      Vector3 position;
      std::string species;
    };
    std::vector<Atom> all;
    for (std::size_t i = 0; i < atoms; ++i) {
      if (!read_line()) fail(fmt::format("the file ends after {} of {} atoms", i, atoms));
      const std::vector<std::string> words = crystal::words_of(line_);
      if (words.size() < columns.count) fail(fmt::format("an atom has {} columns here, this line has {}", columns.count, words.size()));
      Vector3 x{};
      for (std::size_t d = 0; d < 3; ++d) x[d] = crystal::number_from(words[columns.position[d]], here(), "each coordinate");
      if (columns.scaled) x = crystal::Cell{frame.cell}.cartesian(x);
      else for (std::size_t d = 0; d < 3; ++d) x[d] -= origin_[d];
      const std::int64_t id = columns.id ? whole_number(words[*columns.id], "the id") : static_cast<std::int64_t>(i);
      all.push_back({id, x, columns.element ? words[*columns.element] : columns.type ? "type " + words[*columns.type] : ""});
    }
    std::stable_sort(all.begin(), all.end(), [](const Atom& a, const Atom& b) { return a.id < b.id; });
    for (Atom& atom : all) {
      frame.positions.push_back(atom.position);
      if (!atom.species.empty()) frame.species.push_back(std::move(atom.species));
    }
  }

  std::string name_, line_, item_;
  std::ifstream stream_;
  std::size_t number_ = 0;
  Vector3 origin_{};
  double time_unit_ = 1.0;  // fs; LAMMPS names its units before the first configuration, or not at all
};

}  // namespace

std::unique_ptr<FrameReader> open_lammps_frames(const std::filesystem::path& file) { return std::make_unique<LammpsFrameReader>(file); }

}  // namespace bgw::trajectory
