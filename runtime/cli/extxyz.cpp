#include "runtime/cli/extxyz.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <fstream>
#include <map>
#include <sstream>

#include "runtime/cli/failure.h"
#include "runtime/foundation/errors.h"

namespace bgw::cli {
namespace {

// A line with its place.
struct Line {
  std::string_view text;
  std::size_t number = 0;
  const std::string* file = nullptr;
  [[noreturn]] void fail(const std::string& problem) const {
    throw InputError(fmt::format("{}:{}: {}", *file, number, problem));
  }
};

std::vector<Line> lines_of(std::string_view text, const std::string& name) {
  std::vector<Line> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    lines.push_back({line, lines.size() + 1, &name});
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

std::vector<std::string> words_of(std::string_view text) {
  std::istringstream stream{std::string(text)};
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

double number_from(const std::string& word, const Line& line, const std::string& what) {
  double value = 0;
  const char* begin = word.data() + (word.starts_with('+') ? 1 : 0);
  const auto [end, error] = std::from_chars(begin, word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size() || !std::isfinite(value)) {
    line.fail(fmt::format("{} is a number, it is '{}'", what, word));
  }
  // Farther out a double does not hold the distance of two atoms any more.
  constexpr double kFarthest = 1e6;
  if (std::abs(value) > kFarthest) line.fail(fmt::format("{} is at most {:g}, it is '{}'", what, kFarthest, word));
  return value;
}

std::size_t atom_count(const Line& line) {
  const std::vector<std::string> words = words_of(line.text);
  std::size_t count = 0;
  if (words.size() == 1) {
    const auto [end, error] = std::from_chars(words[0].data(), words[0].data() + words[0].size(), count);
    if (error == std::errc() && end == words[0].data() + words[0].size() && count > 0) return count;
  }
  line.fail(fmt::format("the first line is the number of atoms, it is '{}'", line.text));
}

char closing_quote(char open) { return open == '{' ? '}' : open == '[' ? ']' : open; }

// key=value, key="several words"; a key alone is true.
std::map<std::string, std::string> comment_values(const Line& line) {
  std::map<std::string, std::string> values;
  const std::string_view text = line.text;
  std::size_t at = 0;
  const auto blank = [&](std::size_t i) { return text[i] == ' ' || text[i] == '\t'; };
  while (at < text.size()) {
    if (blank(at)) {
      ++at;
      continue;
    }
    const std::size_t begin = at;
    while (at < text.size() && text[at] != '=' && !blank(at)) ++at;
    const std::string key(text.substr(begin, at - begin));
    if (at == text.size() || text[at] != '=') {
      values[key] = "T";
      continue;
    }
    ++at;
    if (at < text.size() && std::string_view("\"'{[").find(text[at]) != std::string_view::npos) {
      const std::size_t close = text.find(closing_quote(text[at]), at + 1);
      if (close == std::string_view::npos)
        line.fail(fmt::format("the value of {} is not closed: {} is missing", key, closing_quote(text[at])));
      values[key] = std::string(text.substr(at + 1, close - at - 1));
      at = close + 1;
    } else {
      const std::size_t value = at;
      while (at < text.size() && !blank(at)) ++at;
      values[key] = std::string(text.substr(value, at - value));
    }
  }
  return values;
}

double volume(const std::array<std::array<double, 3>, 3>& h) {
  return h[0][0] * (h[1][1] * h[2][2] - h[1][2] * h[2][1]) - h[0][1] * (h[1][0] * h[2][2] - h[1][2] * h[2][0]) +
         h[0][2] * (h[1][0] * h[2][1] - h[1][1] * h[2][0]);
}

void read_cell(Structure& structure, const std::map<std::string, std::string>& values, const Line& line) {
  const auto lattice = values.find("Lattice");
  if (lattice == values.end())
    line.fail("a crystal needs its cell: write Lattice=\"ax ay az bx by bz cx cy cz\", in angstrom");
  const std::vector<std::string> words = words_of(lattice->second);
  if (words.size() != 9) line.fail(fmt::format("Lattice has nine numbers, here it has {}", words.size()));
  for (std::size_t i = 0; i < 9; ++i)
    structure.cell[i / 3][i % 3] = number_from(words[i], line, "each component of Lattice");
  if (!(std::abs(volume(structure.cell)) > 0)) line.fail("the cell has no volume: its vectors lie in one plane");
  if (const auto pbc = values.find("pbc");
      pbc != values.end() && pbc->second.find_first_of("Ff0") != std::string::npos) {
    line.fail(fmt::format("bgw computes crystals, periodic in three directions; here pbc=\"{}\"", pbc->second));
  }
}

// Where the species and the three coordinates stand in the line of an atom.
struct Columns {
  std::size_t species = 0, position = 1, count = 4;
  bool has_species = true;
};

Columns columns_of(const std::map<std::string, std::string>& values, const Line& line) {
  const auto properties = values.find("Properties");
  if (properties == values.end()) return {};
  std::vector<std::string> parts;
  std::istringstream stream(properties->second);
  for (std::string part; std::getline(stream, part, ':');) parts.push_back(part);
  if (parts.size() % 3 != 0)
    line.fail(fmt::format("Properties is a list of name:type:columns, it is '{}'", properties->second));
  Columns columns{0, 0, 0, false};
  bool has_position = false;
  for (std::size_t i = 0; i < parts.size(); i += 3) {
    std::size_t width = 0;
    const std::string& digits = parts[i + 2];
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), width);
    if (error != std::errc() || end != digits.data() + digits.size() || width == 0 || width > 1000) {
      line.fail(fmt::format("Properties: `{}` has a number of columns, it is '{}'", parts[i], digits));
    }
    if (parts[i] == "species" && width == 1) {
      columns.species = columns.count;
      columns.has_species = true;
    }
    if (parts[i] == "pos") {
      if (width != 3 || parts[i + 1] != "R") line.fail("Properties: positions are pos:R:3");
      columns.position = columns.count;
      has_position = true;
    }
    columns.count += width;
  }
  if (!has_position) line.fail("Properties names no positions: pos:R:3 is missing");
  return columns;
}

void read_atom(Structure& structure, const Columns& columns, const Line& line) {
  const std::vector<std::string> words = words_of(line.text);
  if (words.size() < columns.count) {
    line.fail(fmt::format("an atom has {} columns here, this line has {}", columns.count, words.size()));
  }
  structure.species.push_back(columns.has_species ? words[columns.species] : "X");
  std::array<double, 3> position{};
  for (std::size_t axis = 0; axis < 3; ++axis)
    position[axis] = number_from(words[columns.position + axis], line, "each coordinate");
  structure.positions.push_back(position);
}

}  // namespace

Structure parse_extxyz(std::string_view text, const std::string& name) {
  const std::vector<Line> lines = lines_of(text, name);
  if (lines.empty()) throw InputError(name + ":1: the file is empty");
  const std::size_t count = atom_count(lines[0]);
  if (lines.size() < 2) throw InputError(fmt::format("{}:2: the comment line with Lattice=\"…\" is missing", name));
  const std::map<std::string, std::string> values = comment_values(lines[1]);
  Structure structure;
  read_cell(structure, values, lines[1]);
  const Columns columns = columns_of(values, lines[1]);
  if (lines.size() - 2 < count) {
    throw InputError(
        fmt::format("{}:{}: the file ends after {} of {} atoms", name, lines.size(), lines.size() - 2, count));
  }
  for (std::size_t atom = 0; atom < count; ++atom) read_atom(structure, columns, lines[2 + atom]);
  for (std::size_t rest = 2 + count; rest < lines.size(); ++rest) {
    if (!words_of(lines[rest].text).empty())
      lines[rest].fail(fmt::format("the file goes on after {} atoms: give one configuration a file", count));
  }
  return structure;
}

Structure read_extxyz(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  const bool has_bytes = stream.peek() != std::ifstream::traits_type::eof();  // an empty file can be read
  if (!stream.is_open() || stream.bad() || (has_bytes && !(text << stream.rdbuf())))
    throw CommandFailure(kWrongUse, fmt::format("cannot read {}", file.string()));
  return parse_extxyz(text.str(), file.string());
}

}  // namespace bgw::cli
