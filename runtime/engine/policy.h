#pragma once

#include <cstddef>
#include <set>
#include <string>

#include "compiler/plan/plan.h"

namespace bgw::engine {

/// How a task wants to be run: TaskSpec::policy, read once. Nothing of it enters the key.
///
///     cpus       int, absent: a share of what is free        gpus        int
///     walltime   seconds, absent: no limit                   memory      bytes, absent: not said
///     checkpoint {every_s: seconds (300), keep: int (2)}
///     retry      {attempts: int (1), on: [causes]}
///     replace    bool: the result is there and is to be made again; set by the run, not by programs
struct Policy {
  int cpus = 0;
  int gpus = 0;
  double walltime = 0;   // seconds; 0: no limit
  double memory = 0;     // bytes; 0: not said
  double checkpoint_every = 300;  // seconds
  std::size_t checkpoints_kept = 2;
  int attempts = 1;
  std::set<std::string> retry_on;
};

Policy policy_of(const plan::TaskSpec& spec);

/// What this machine can give to one task.
struct Machine {
  int cpus = 1;
  double memory = 0;  // bytes; 0: not known
};

/// @throws InputError when the task asks for more than that, naming what and how much there is
void check_resources(const plan::TaskSpec& spec, const Machine& machine);

/// Physical memory in bytes, 0 when the system does not tell.
double physical_memory();

}  // namespace bgw::engine
