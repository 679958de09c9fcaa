#pragma once

#include "runtime/artifacts/artifact.h"
#include "runtime/engine/task.h"

// The heavy kinds of task: each reads its inputs, calls the rooms that know the physics, and hands on an artifact.
// What they receive and make is laid down in docs/tasks.md.
namespace bgw::tasks {

artifacts::Artifact base(engine::TaskContext& context);
artifacts::Artifact train(engine::TaskContext& context);
artifacts::Artifact sample(engine::TaskContext& context);
artifacts::Artifact reference(engine::TaskContext& context);
artifacts::Artifact estimate(engine::TaskContext& context);
artifacts::Artifact surface(engine::TaskContext& context);
artifacts::Artifact phase_diagram(engine::TaskContext& context);
artifacts::Artifact molecular_dynamics(engine::TaskContext& context);
artifacts::Artifact relax(engine::TaskContext& context);
artifacts::Artifact radial_distribution(engine::TaskContext& context);
artifacts::Artifact data(engine::TaskContext& context);
artifacts::Artifact energy_histogram(engine::TaskContext& context);
artifacts::Artifact work_histogram(engine::TaskContext& context);
artifacts::Artifact q6_histogram(engine::TaskContext& context);
artifacts::Artifact mean_bond_order(engine::TaskContext& context);
artifacts::Artifact mean_squared_displacement(engine::TaskContext& context);
artifacts::Artifact msd_over_time(engine::TaskContext& context);
artifacts::Artifact mean_energy(engine::TaskContext& context);
artifacts::Artifact mean_density(engine::TaskContext& context);
artifacts::Artifact mean_pressure(engine::TaskContext& context);
artifacts::Artifact heat_capacity(engine::TaskContext& context);

/// All of them, by kind. To add a kind: its function here, one line there, its schema in runtime/catalog.
engine::TaskRegistry registry();

}  // namespace bgw::tasks
