#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "compiler/plan/plan.h"
#include "compiler/schema/value.h"

namespace bgw::lowering {

/// A member of a family as the user addresses it, and what it became.
struct NamedInstance {
  std::string noun, block;
  std::string name;                   // "draws[64]"
  std::vector<std::pair<std::string, std::string>> indices;  // axis and value, ("size", "64")
  std::optional<std::size_t> task;    // index in Plan::tasks
  std::optional<std::size_t> check;   // index in Plan::checks
};

/// A compiled program.
struct Program {
  plan::Plan plan;
  std::vector<NamedInstance> instances;                // all blocks, in the order of the program
  std::unordered_map<std::string, std::vector<std::size_t>> blocks;  // by name of the block: its instances
  std::map<std::string, schema::Value> values;         // "water[64]" and "system.water[64]" -> the resolved value
  std::map<std::string, schema::Value> presentations;  // of the same names: {"energy_unit", "length_unit"}
  std::map<std::string, std::string> params;           // all of them -> the value as it is written or given, "200 K"
  std::map<std::string, std::string> docs;             // "sample.draws", "param.T" -> its `##` lines
  std::size_t axes = 0;
  std::shared_ptr<const void> made_of;  // what it shares values with; a command that ends anyway need not take it apart
};

/// What a spelling names: "default", "F", "F[64]", "F[200 K]", "sample.draws[*]", "lbar[*,size=64]".
struct Found {
  std::vector<std::size_t> tasks;     // ascending
  std::vector<std::size_t> checks;
  std::vector<std::string> values;    // names in Program::values
  std::string problem;                // not empty: nothing is named so, with a suggestion
};

Found find_instances(const Program& program, const std::string& spelling);

/// What `--emit=model` and `--emit=plan` print: every block resolved, and every task with its key, as JSON.
schema::Value describe_model(const Program& program);
schema::Value describe_plan(const Program& program);

}  // namespace bgw::lowering
