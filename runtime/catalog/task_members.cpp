#include "runtime/catalog/kinds.h"
#include "runtime/catalog/values.h"

namespace bgw::catalog {

using schema::Type;
using schema::TypeKind;

void add_task_members(schema::KindSchema& kind) {
  kind.attributes.push_back({"precision", Type::word({"float64"}, {"float32"}), "of the arithmetic", false, "float64"});
  schema::Attribute deterministic{"deterministic", Type::of(TypeKind::boolean), "the same bits on every run", false, true};
  deterministic.only = true;
  kind.attributes.push_back(deterministic);
  schema::Attribute uses{"uses", Type::reference({"resources"}), "what it may take of the machine", false, {}};
  uses.policy = true;
  kind.attributes.push_back(uses);
  schema::NestedSchema checkpoint;
  checkpoint.kind = checkpoint.member = "checkpoint";
  checkpoint.policy = true;
  checkpoint.doc = "When the state is saved";
  checkpoint.attributes = {{"every", Type::quantity("duration"), "time between two", false, 3e17, {}, kPositive, "5 min"},
                           {"keep", Type::of(TypeKind::integer), "how many stay", false, 2, {}, kAtLeastOne},
                           {"on_signal", Type::of(TypeKind::boolean), "save when asked to stop", false, true}};
  checkpoint.attributes.back().only = true;
  schema::NestedSchema retry;
  retry.kind = retry.member = "retry";
  retry.policy = true;
  retry.doc = "When a failed task is tried again; without it, only what the machine took from it (node_lost, preempted)";
  retry.attributes = {{"attempts", Type::of(TypeKind::integer), "at most so many", false, 3, {}, {1.0, {}, 1000.0}},
                      {"on", Type::list(Type::word({"node_lost", "preempted", "timeout", "oom", "cuda", "crash", "killed", "nan", "disk", "bad_input"}, {"require"})), "causes", false,
                       schema::List{"node_lost", "preempted", "timeout"}},
                      {"backoff", Type::quantity("duration"), "wait before the next try, doubled each time", false, 3e16, {}, kPositive, "30 s"}};
  kind.nested.push_back(checkpoint);
  kind.nested.push_back(retry);
  kind.results.push_back({"energy_calls", schema::ResultType::number, "", "what it cost, in evaluations of the energy"});
  kind.results.push_back({"seconds", schema::ResultType::number, "", "what it took; another number on every machine and day"});
}

}  // namespace bgw::catalog
