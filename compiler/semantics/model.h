#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "compiler/schema/catalog.h"
#include "compiler/schema/value.h"
#include "compiler/source/source_file.h"

namespace bgw::semantics {

/// `n in size` of one instance: n = 64.
struct IndexValue {
  std::string variable, axis;
  std::string text;     // "64", as in the name
  schema::Value value;  // in base units
};

/// One member of a family, fully resolved: defaults filled in, quantities in base units, value blocks copied in place.
struct Instance {
  const schema::KindSchema* kind = nullptr;
  std::string block;              // "draws"
  std::string name;               // "draws[64]"
  std::string full_name;          // "sample.draws[64]"
  std::vector<IndexValue> indices;
  schema::Map arguments;          // a task is the map {"task": full name}
  schema::Map policy;             // resources, checkpoint, retry
  std::string energy_unit, length_unit;  // in which epsilon and sigma of its potential are written
  bool reduced = false;           // some value is written in lj units
  bool physical = false;          // some value is written in physical units
  bool good = true;               // false: an error in it was told
  source::SourceRange range;      // of the block's name
};

/// What a `target` names.
struct TargetDeclaration {
  std::string name;
  std::vector<const Instance*> wanted;
};

/// A program, checked and resolved; instances in the order of the program, those made by expressions
/// (`rdf(draws[64])`) where they first occur. Immutable once built.
struct Model {
  schema::Catalog catalog;        // the instances' kinds live here
  std::deque<Instance> instances;
  std::vector<TargetDeclaration> targets;
  schema::Map overridden;         // param -> {"old", "new"} as text
};

}  // namespace bgw::semantics
