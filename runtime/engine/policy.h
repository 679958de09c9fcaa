#pragma once

#include <cstddef>
#include <set>
#include <string>

#include "compiler/plan/plan.h"
#include "runtime/engine/admission.h"
#include "runtime/engine/machine.h"

namespace bgw::engine {

/// How a task wants to be run: TaskSpec::policy, read once. Nothing of it enters the key.
///
///     cpus       int, absent: a share of what is free        gpus        int
///     walltime   seconds of one attempt, absent: no limit    memory      bytes, absent: not said
///     exclusive  bool: beside no other task
///     checkpoint {every_s: seconds (300), keep: int (2)}
///     retry      {attempts: int, on: [causes], backoff_s: seconds (30)}
///     replace    bool: the result is there and is to be made again; set by the run, not by programs
///
/// The causes of a failure: node_lost, preempted (ended from outside), timeout, oom, cuda, nan, bad_input, disk, crash,
/// killed. Without `retry` a task is tried once; only what the machine took from it (node_lost, preempted) it tries again.
struct Policy {
  int cpus = 0;
  int gpus = 0;
  double walltime = 0;   // seconds; 0: no limit
  double memory = 0;     // bytes; 0: not said
  bool exclusive = false;
  double checkpoint_every = 300;  // seconds
  std::size_t checkpoints_kept = 2;
  int attempts = 1;
  std::set<std::string> retry_on = {"node_lost", "preempted"};
  double backoff = 30;   // seconds before the second attempt, doubled before each further one
};

Policy policy_of(const plan::TaskSpec& spec);

/// What it takes of the machine.
Request request_of(const Policy& policy);

/// @throws InputError when the task asks for more than the machine has, naming what and how much there is
void check_resources(const plan::TaskSpec& spec, const Machine& machine);

}  // namespace bgw::engine
