#pragma once

#include "compiler/schema/value.h"

namespace bgw::tasks {

/// Runs one route to a free energy again and again, with seed after seed, in this process, and takes the time of each:
/// from the perfect lattice to the value with its error; the start of the process is not in it.
/// @param request  {"seeds": n, "terms": [{"weight": w, "tasks": [text of a task.json, ...]}, ...]}: chains of tasks,
///                 inputs before what reads them, whose last has the result `per_particle`; the value is the sum of these
///                 times w. Or {"seeds": n, "frenkel_ladd": {...}} (frenkel_ladd.h).
/// @return         {"runs": [{"value", "sigma", "energy_calls", "force_calls", "hessian_calls", "seconds", "cpu_seconds"}
///                 or {"failed": why}, one a seed], "peak_memory": bytes}; numbers that are not finite are none
/// @throws std::runtime_error for a text that is no request
schema::Value answer_bench_request(const schema::Value& request);

}  // namespace bgw::tasks
