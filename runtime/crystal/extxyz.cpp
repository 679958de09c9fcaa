#include <fmt/format.h>

#include <map>
#include <sstream>

#include "runtime/crystal/structure.h"
#include "runtime/crystal/text_lines.h"
#include "runtime/foundation/errors.h"

namespace bgw::crystal {
namespace {

std::size_t atom_count(const Line& line) {
  const std::vector<std::string> words = words_of(line.text);
  std::size_t count = 0;
  if (words.size() == 1 && is_count(words[0], count)) return count;
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

void read_cell(Structure& structure, const std::map<std::string, std::string>& values, const Line& line) {
  const auto lattice = values.find("Lattice");
  if (lattice == values.end())
    line.fail("a crystal needs its cell: write Lattice=\"ax ay az bx by bz cx cy cz\", in angstrom");
  const std::vector<std::string> words = words_of(lattice->second);
  if (words.size() != 9) line.fail(fmt::format("Lattice has nine numbers, here it has {}", words.size()));
  for (std::size_t i = 0; i < 9; ++i)
    structure.cell[i / 3][i % 3] = number_from(words[i], line, "each component of Lattice");
  settle_cell(structure.cell, line);
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
    if (!is_count(digits, width) || width > 1000) {
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
  structure.species.push_back(columns.has_species ? words[columns.species] : kUnnamed);
  Vector3 position{};
  for (std::size_t axis = 0; axis < 3; ++axis)
    position[axis] = number_from(words[columns.position + axis], line, "each coordinate");
  structure.positions.push_back(position);
}

}  // namespace

std::map<std::string, std::string> extxyz_keys(std::string_view comment, const std::string& name) {
  return comment_values(Line{comment, 2, &name});
}

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

}  // namespace bgw::crystal
