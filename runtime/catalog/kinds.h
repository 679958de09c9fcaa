#pragma once

#include "compiler/schema/catalog.h"

// To add a kind: write its schema in the file of its group below, or a new one; add the line in builtin_catalog.cpp;
// give it a line in docs/tasks.md when it is a task; add a program to tests/golden that uses it. The simplest member
// to copy is `ensemble` in crystal_kinds.cpp.
namespace bgw::catalog {

void add_crystal_kinds(schema::Catalog& catalog);    // potential, lattice, system, ensemble
void add_model_kinds(schema::Catalog& catalog);      // base, flow, train, sample
void add_estimate_kinds(schema::Catalog& catalog);   // reference, estimate, rdf
void add_report_kinds(schema::Catalog& catalog);     // figure, table, expect, resources
void add_later_names(schema::Catalog& catalog);      // what the design knows and this version does not

/// `precision` and `deterministic`, `uses`, and the blocks checkpoint and retry, which every heavy task has.
void add_task_members(schema::KindSchema& kind);

/// "system": the resolved system a task of that kind computes on, its ensemble beside it; nullptr when it has none.
struct State {
  const schema::Value* system = nullptr;
  const schema::Value* ensemble = nullptr;
};
State state_of(const schema::UpstreamTask& task, const schema::CheckContext& context);

/// Complains at `attribute` when two values that should describe the same crystal or conditions differ.
/// @param what   "system" or "ensemble"
/// @param other  what carries `theirs`, as it stands in the message
void expect_same(const schema::Value* mine, const schema::Value* theirs, const char* what, const std::string& attribute,
                 const std::string& other, schema::CheckContext& context);

}  // namespace bgw::catalog
