#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "runtime/crystal/structure.h"
#include "runtime/crystal/text_lines.h"
#include "runtime/foundation/errors.h"

namespace bgw::crystal {
namespace {

/// Lines one after the other; where the file ends says what should have come.
class Reader {
 public:
  Reader(std::string_view text, const std::string& name) : name_(name), lines_(lines_of(text, name)) {
    if (lines_.empty()) throw InputError(name + ":1: the file is empty");
  }
  const Line& next(const char* what) {
    if (at_ == lines_.size()) throw InputError(fmt::format("{}:{}: the file ends where {} should be", name_, lines_.size() + 1, what));
    return lines_[at_++];
  }
  const Line* peek() const { return at_ == lines_.size() ? nullptr : &lines_[at_]; }

 private:
  std::string name_;
  std::vector<Line> lines_;
  std::size_t at_ = 0;
};

/// One factor for all, three for x, y and z, or minus the volume.
std::vector<double> read_scale(const Line& line) {
  std::vector<double> scale;
  for (const std::string& word : words_of(line.text)) {
    if (!is_number(word)) break;  // people write comments behind
    scale.push_back(number_from(word, line, "the scale"));
  }
  const bool good = (scale.size() == 1 && scale[0] != 0.0) ||
                    (scale.size() == 3 && std::all_of(scale.begin(), scale.end(), [](double x) { return x > 0.0; }));
  if (!good) line.fail(fmt::format("the second line is the scale, one number or three above zero, it is '{}'", line.text));
  return scale;
}

Vector3 read_vector(const Line& line, const char* what) {
  const std::vector<std::string> words = words_of(line.text);
  if (words.size() < 3) line.fail(fmt::format("{} has three numbers, this line has {}", what, words.size()));
  Vector3 v{};
  for (std::size_t k = 0; k < 3; ++k) v[k] = number_from(words[k], line, fmt::format("each number of {}", what));
  return v;
}

Vector3 factors_of(const std::vector<double>& scale, const Matrix3& cell, const Line& line) {
  if (scale.size() == 3) return {scale[0], scale[1], scale[2]};
  if (scale[0] > 0.0) return {scale[0], scale[0], scale[0]};
  const double volume = Cell{cell}.volume();
  if (!(volume > 0.0)) line.fail("the cell has no volume: its vectors lie in one plane");
  const double factor = std::cbrt(-scale[0] / volume);
  return {factor, factor, factor};
}

/// "Si_pv" and "Si/5f2d…" name the pseudopotential behind the element.
std::string element_of(const std::string& word) { return word.substr(0, word.find_first_of("_/")); }

struct Counts {
  std::vector<std::string> species;  // empty in VASP 4
  std::vector<std::size_t> counts;
  std::size_t total = 0;
};

Counts read_counts(Reader& reader) {
  Counts found;
  const Line* line = &reader.next("the numbers of atoms");
  std::vector<std::string> words = words_of(line->text);
  if (!words.empty() && !is_number(words[0])) {
    for (const std::string& word : words) found.species.push_back(element_of(word));
    line = &reader.next("the numbers of atoms");
    words = words_of(line->text);
  }
  for (const std::string& word : words) {
    std::size_t count = 0;
    if (!is_count(word, count) || count > 10'000'000) {
      if (!found.counts.empty() && !is_number(word)) break;  // a comment
      line->fail(fmt::format("here stand the numbers of atoms of each species, whole and above zero, it is '{}'", line->text));
    }
    found.counts.push_back(count);
    found.total += count;
  }
  if (found.counts.empty()) line->fail("here stand the numbers of atoms of each species, the line is empty");
  if (!found.species.empty() && found.species.size() != found.counts.size()) {
    line->fail(fmt::format("{} species are named and {} numbers of atoms given", found.species.size(), found.counts.size()));
  }
  return found;
}

/// Passes over `Selective dynamics`. VASP looks at the first letter alone.
bool reads_cartesian(Reader& reader) {
  const Line* line = &reader.next("Direct or Cartesian");
  std::vector<std::string> words = words_of(line->text);
  if (!words.empty() && (words[0][0] == 'S' || words[0][0] == 's')) {
    line = &reader.next("Direct or Cartesian");
    words = words_of(line->text);
  }
  const char letter = words.empty() ? ' ' : words[0][0];
  if (std::string_view("CcKk").find(letter) != std::string_view::npos) return true;
  if (letter != 'D' && letter != 'd') line->fail(fmt::format("here stands Direct or Cartesian, it is '{}'", line->text));
  return false;
}

/// A line of three numbers right behind the atoms is one atom too many; velocities have a blank line before them.
void refuse_more(const Reader& reader, std::size_t total) {
  const Line* line = reader.peek();
  if (line == nullptr) return;
  const std::vector<std::string> words = words_of(line->text);
  if (words.size() >= 3 && std::all_of(words.begin(), words.begin() + 3, is_number))
    line->fail(fmt::format("the file goes on after {} atoms, as many as its counts say", total));
}

}  // namespace

Structure parse_poscar(std::string_view text, const std::string& name) {
  Reader reader(text, name);
  reader.next("the comment");
  const Line& scale_line = reader.next("the scale");
  const std::vector<double> scale = read_scale(scale_line);
  Structure structure;
  for (Vector3& vector : structure.cell) vector = read_vector(reader.next("a cell vector"), "a cell vector");
  const Vector3 factors = factors_of(scale, structure.cell, scale_line);
  for (Vector3& vector : structure.cell) {
    for (std::size_t d = 0; d < 3; ++d) vector[d] *= factors[d];
  }
  const Cell written{structure.cell};
  settle_cell(structure.cell, scale_line);
  const Counts counts = read_counts(reader);
  const bool cartesian = reads_cartesian(reader);
  for (std::size_t kind = 0; kind < counts.counts.size(); ++kind) {
    for (std::size_t i = 0; i < counts.counts[kind]; ++i) {
      if (reader.peek() == nullptr) {
        throw InputError(fmt::format("{}: the file ends after {} of {} atoms", name, structure.positions.size(), counts.total));
      }
      Vector3 place = read_vector(reader.next("an atom"), "an atom");
      if (cartesian) {
        for (std::size_t d = 0; d < 3; ++d) place[d] *= factors[d];
      }
      structure.positions.push_back(cartesian ? place : written.cartesian(place));
      structure.species.push_back(counts.species.empty() ? kUnnamed : counts.species[kind]);
    }
  }
  refuse_more(reader, counts.total);
  return structure;
}

}  // namespace bgw::crystal
