#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "compiler/schema/value.h"

namespace bgw::plan {

/// SHA-256 of everything that determines a task's numbers.
struct Key {
  std::array<std::uint8_t, 32> bytes{};
  auto operator<=>(const Key&) const = default;
  std::string hex() const;        // 64 lower-case digits
  std::string short_hex() const;  // the first 12 of them
  static Key from_hex(const std::string& text);  // throws std::invalid_argument
};

/// A result of another task that enters this one. The role is the dotted place in the arguments at which the
/// map {"task": role} stands, for instance "base" or "model.base".
struct TaskInput {
  std::string role;
  Key key;
  std::size_t task = 0;  // index in Plan::tasks
};

/// Where a task runs.
enum class Placement {
  child,   // heavy: a bgw-task process that publishes an object
  inline_  // short: inside the controller, its result is a row of the database
};

/// One task, fully resolved: no reference to the program's text is needed to run it.
struct TaskSpec {
  std::string name;                // as the user addresses it, "draws[64]"
  std::string kind;                // "base", "train", "sample", "reference", "estimate", "rdf", "figure", "table"
  int version = 1;                 // of the kind; bumped by developers when its numbers change
  Placement placement = Placement::child;
  schema::Value arguments;         // a map; what determines the numbers, in base units
  std::vector<TaskInput> inputs;   // sorted by role
  schema::Value policy;            // a map: cpus, memory, walltime, checkpoint{every_s, keep}, retry; not in the key
  schema::Value presentation;      // a map: names and units as the user wrote them; not in the key
  Key key;
  Key stream_key;                  // the key without steps, count and produce: the root of all random streams
  std::vector<std::string> also_named;  // other names in the program for the same work
  std::vector<std::string> later;       // what of it this version cannot run yet; empty: it can be run
};

/// A comparison made after the tasks it reads: `expect` or `require`.
struct CheckSpec {
  std::string name;                // "published[64]"
  std::string kind;                // "expect" or "require"
  schema::Value arguments;         // run-time expressions, see inline_tasks/expression.h
  std::vector<TaskInput> inputs;
};

/// What a run has to do, in an order in which every task follows its inputs. Immutable once built.
struct Plan {
  std::string program;                            // path as given
  std::string program_sha256;
  struct Import {
    std::string path, sha256;
  };
  std::vector<Import> imports;                    // files that the program reads beside itself
  std::vector<TaskSpec> tasks;
  std::vector<CheckSpec> checks;
  /// Target -> indices of the tasks it wants (their inputs are implied).
  std::map<std::string, std::vector<std::size_t>> targets;
  /// The same for the checks a target holds.
  std::map<std::string, std::vector<std::size_t>> target_checks;
  schema::Map overridden;                         // param -> {"old":…, "new":…} as text
};

}  // namespace bgw::plan
