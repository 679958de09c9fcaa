#pragma once

#include <string>

#include "compiler/schema/catalog.h"
#include "runtime/engine/compare.h"

namespace bgw::cli {

/// The fields of one task as a program would write them: with units, large counts in groups of three. Keys hold base
/// units; energies and lengths get the unit of the program where that is known, other dimensions the usual one.
class FieldText {
 public:
  /// @param presentation  TaskSpec::presentation; none where it is not known
  FieldText(const schema::Catalog& catalog, std::string kind, engine::Fields fields, const schema::Value& presentation);

  /// What stands at a place: "60", "1 000 000", "6.189 kcal/mol", "none".
  std::string at(const std::string& place) const;

 private:
  const schema::Attribute* attribute_at(const std::string& place) const;
  std::string unit_of(const schema::Attribute& attribute) const;

  const schema::Catalog& catalog_;
  std::string kind_;
  engine::Fields fields_;
  std::string energy_unit_, length_unit_;
};

}  // namespace bgw::cli
