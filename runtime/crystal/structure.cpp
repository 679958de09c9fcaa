#include "runtime/crystal/structure.h"

#include <algorithm>

#include "runtime/crystal/text_lines.h"
#include "runtime/foundation/errors.h"

namespace bgw::crystal {
namespace {

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return text;
}

std::string last_part(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

/// By its name, and where that says nothing by its second line, which holds the scale of a POSCAR.
bool is_poscar(std::string_view text, const std::string& path) {
  const std::string name = lower(last_part(path));
  if (name.ends_with("xyz")) return false;
  if (name.starts_with("poscar") || name.starts_with("contcar") || name.ends_with(".vasp") || name.ends_with(".poscar")) return true;
  const std::vector<Line> lines = lines_of(text, path);
  if (lines.size() < 2) return false;
  const std::vector<std::string> second = words_of(lines[1].text);
  return !second.empty() && std::all_of(second.begin(), second.end(), is_number);
}

}  // namespace

std::vector<std::string> Structure::kinds() const {
  std::vector<std::string> found;
  for (const std::string& name : species) {
    if (std::find(found.begin(), found.end(), name) == found.end()) found.push_back(name);
  }
  return found;
}

Structure parse_structure(std::string_view text, const std::string& name) {
  return is_poscar(text, name) ? parse_poscar(text, name) : parse_extxyz(text, name);
}

}  // namespace bgw::crystal
