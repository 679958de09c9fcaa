#pragma once

#include <map>
#include <string>
#include <vector>

#include "compiler/schema/kind_schema.h"

namespace bgw::schema {

/// All block kinds and constructors a program may use. The compiler gets it as a value, so it knows nothing of the
/// runtime, and a test can hand in a catalog of two kinds.
class Catalog {
 public:
  /// Adds a kind; throws std::logic_error when its noun is taken.
  void add(KindSchema kind);
  void add(ConstructorSchema constructor);
  /// The kind of a task that an expression makes, as `rdf(samples)`: no block may have this noun.
  void add_function(KindSchema kind);

  const KindSchema* find_kind(const std::string& noun) const;
  const KindSchema* find_function(const std::string& name) const;
  const ConstructorSchema* find_constructor(const std::string& name) const;

  std::vector<std::string> nouns() const;
  std::vector<std::string> constructor_names() const;
  std::vector<std::string> function_names() const;

 private:
  std::map<std::string, KindSchema> kinds_;
  std::map<std::string, KindSchema> functions_;
  std::map<std::string, ConstructorSchema> constructors_;
};

}  // namespace bgw::schema
