#pragma once

#include "compiler/schema/value.h"
#include "runtime/physics/scha.h"

namespace bgw::tasks {

/// How a base task iterates, from its arguments: as many samples as the program says, or enough for so many atoms.
physics::SchaOptions scha_options(const schema::Value& base_arguments, std::int64_t atoms);

}  // namespace bgw::tasks
