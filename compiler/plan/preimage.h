#pragma once

#include <string>

#include "compiler/plan/plan.h"

namespace bgw::plan {

/// Canonical JSON of what a task's numbers depend on: {"record":"bgw-key/1","kind","version","arguments",
/// "inputs":{role: key}}. Its SHA-256 is the key. Made when it is asked for: it repeats whole systems, so those of a
/// large plan together would take hundreds of megabytes.
std::string preimage(const TaskSpec& spec);

}  // namespace bgw::plan
