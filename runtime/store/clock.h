#pragma once

#include <cstdint>
#include <string>

namespace bgw::store {

/// UTC, microseconds since 1970.
std::int64_t now_in_microseconds();
/// Name of this machine.
std::string host_name();
/// What tells this start of the machine from the others: a process id means something only together with it.
std::string boot_id();
/// Sixteen random digits: names of things that must not meet. Never a source of physics.
std::string random_token();

}  // namespace bgw::store
