#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compiler/schema/catalog.h"
#include "compiler/schema/value.h"
#include "compiler/source/source_file.h"
#include "compiler/units/dimension.h"

namespace bgw::semantics {

/// `n in size`.
struct IndexName {
  std::string variable, axis;
};

/// The value of one index: n = 64.
struct IndexValue {
  std::string text;     // "64", as in the name
  schema::Value value;  // in base units
};

/// What `lj` means in a block: the scales of its potential.
struct Scale {
  enum class Kind {
    unknown,    // no potential is near
    reduced,    // epsilon and sigma are themselves written in lj: 1 eV and 1 angstrom stand for them
    physical,   // a Lennard-Jones potential with its scales in physical units
    foreign     // a potential that has no reduced units
  };
  Kind kind = Kind::unknown;
  double epsilon = 1.0, sigma = 1.0;  // eV, angstrom
  std::optional<double> mass;         // of an atom, base units
};

/// A number among the arguments that is written in lj and waits for the scales of a potential.
struct UnboundNumber {
  std::string path;  // "ensemble.temperature", "stages.0.temperature.1"
  units::Dimension dimension;
};

/// What goes from a block to the blocks that use it, beside its value.
struct Traits {
  std::string energy_unit, length_unit;  // in which epsilon and sigma of its potential are written
  bool reduced = false;                  // some value is written in lj units
  bool physical = false;                 // some value is written in physical units
  source::SourceRange reduced_at, physical_at;  // where the first of each is written
  std::vector<UnboundNumber> unbound;
  std::vector<std::string> later;        // what of it this version cannot run yet, "`flow.type = global_attention`"
  Scale scale;
};

/// One member of a family, fully resolved: defaults filled in, quantities in base units, value blocks copied in place.
struct Instance {
  const schema::KindSchema* kind = nullptr;
  std::string block;              // "draws"
  std::string name;               // "draws[64]"
  std::int64_t number = 0;        // its place in Model::instances
  std::shared_ptr<const std::vector<IndexName>> axes;  // of the family; null without indices
  std::vector<IndexValue> indices;
  schema::Value arguments;        // a map; a task is the map {"task": its number}
  schema::Value policy;           // a map: resources, checkpoint, retry
  Traits traits;
  bool good = true;               // false: an error in it was told
  bool used = false;
  source::SourceRange range;      // of the block's name
  std::map<std::string, std::string> files;  // that the task reads: attribute -> path, as the compiler found it
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
  std::map<std::string, std::string> params;  // all of them -> the value as it is written or given, "200 K"
  std::map<std::string, std::string> docs;  // "sample.draws", "param.T" -> its `##` lines
  std::size_t axes = 0;
  std::map<std::string, std::optional<std::string>> files;  // that blocks name: path -> bytes; none: not readable
  std::map<std::string, std::string> hashes;  // of files that only tasks read: path -> SHA-256
};

}  // namespace bgw::semantics
