#include "compiler/schema/catalog.h"

#include <algorithm>
#include <stdexcept>

namespace bgw::schema {
namespace {

template <class T>
void insert(std::map<std::string, T>& table, std::string name, T entry) {
  if (!table.emplace(name, std::move(entry)).second) throw std::logic_error("the catalog has two entries `" + name + "`");
}

template <class T>
const T* look_up(const std::map<std::string, T>& table, const std::string& name) {
  const auto found = table.find(name);
  return found == table.end() ? nullptr : &found->second;
}

template <class T>
std::vector<std::string> names_of(const std::map<std::string, T>& table) {
  std::vector<std::string> names;
  for (const auto& [name, entry] : table) names.push_back(name);
  return names;
}

}  // namespace

void Catalog::add(KindSchema kind) { insert(kinds_, kind.noun, kind); }
void Catalog::add(ConstructorSchema constructor) { insert(constructors_, constructor.name, constructor); }
void Catalog::add_function(KindSchema kind) { insert(functions_, kind.noun, kind); }

const KindSchema* Catalog::find_kind(const std::string& noun) const { return look_up(kinds_, noun); }
const KindSchema* Catalog::find_function(const std::string& name) const { return look_up(functions_, name); }
const ConstructorSchema* Catalog::find_constructor(const std::string& name) const { return look_up(constructors_, name); }

std::vector<std::string> Catalog::nouns() const { return names_of(kinds_); }
std::vector<std::string> Catalog::constructor_names() const { return names_of(constructors_); }
std::vector<std::string> Catalog::function_names() const { return names_of(functions_); }

}  // namespace bgw::schema
