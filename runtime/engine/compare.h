#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "compiler/plan/plan.h"

namespace bgw::engine {

/// What stands in the pre-image of a key, by place: "arguments.stage main.steps", "arguments.flow.splits", "version".
/// A constructor stands at its place with its name, its arguments below it. Inputs are not among them.
using Fields = std::map<std::string, schema::Value>;
Fields fields_of(const std::string& preimage);

/// One place at which two pre-images differ; none where only the other has it.
struct FieldChange {
  std::string place;
  schema::Value before, now;
};

/// An input that is another task, or that only one side has.
struct InputChange {
  std::string role;
  std::optional<plan::Key> before, now;
};

/// Two pre-images, field by field and input by input.
struct Comparison {
  std::vector<FieldChange> fields;
  std::vector<InputChange> inputs;
  std::size_t same_fields = 0;
  std::size_t same_inputs = 0;
  bool equal() const { return fields.empty() && inputs.empty(); }
};

/// A pre-image that was read.
struct Preimage {
  Fields fields;
  std::map<std::string, plan::Key> inputs;
};
/// @throws std::runtime_error for a text that is no JSON
Preimage read_preimage(const std::string& text);

/// How many fields and inputs two pre-images have in common, and how many not: quicker than to name them.
struct Likeness {
  std::size_t same = 0, different = 0;
};
Likeness likeness(const Preimage& one, const Preimage& other);

/// @throws std::runtime_error for a text that is no JSON
Comparison compare(const std::string& earlier_preimage, const std::string& preimage);

/// "arguments.stage main.steps" as people say it: "stage main.steps".
std::string shown_place(const std::string& place);

}  // namespace bgw::engine
