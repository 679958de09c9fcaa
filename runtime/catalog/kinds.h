#pragma once

#include "compiler/schema/catalog.h"

// To add a kind: write its schema in the file of its group below, or a new one; add the line in builtin_catalog.cpp;
// give it a line in docs/tasks.md when it is a task; add a program to tests/golden that uses it. The simplest member
// to copy is `ensemble` in crystal_kinds.cpp.
namespace bgw::catalog {

void add_crystal_kinds(schema::Catalog& catalog);    // potential, lattice, system, ensemble
void add_model_kinds(schema::Catalog& catalog);      // base, flow
void add_train_kinds(schema::Catalog& catalog);      // train
void add_sample_kinds(schema::Catalog& catalog);     // sample, md, data
void add_relax_kind(schema::Catalog& catalog);       // relax
void add_estimate_kinds(schema::Catalog& catalog);   // reference, estimate, rdf
void add_observable_kinds(schema::Catalog& catalog); // energy_histogram, q6, msd, mean_pressure, …
void add_phase_kinds(schema::Catalog& catalog);      // surface, phase_diagram
void add_report_kinds(schema::Catalog& catalog);     // figure, table, expect, resources

/// `precision` and `deterministic`, `uses`, the blocks checkpoint and retry, and the cost as results: what every heavy task
/// has.
void add_task_members(schema::KindSchema& kind);

}  // namespace bgw::catalog
