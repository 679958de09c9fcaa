#pragma once

#include <optional>

#include "runtime/artifacts/artifact.h"
#include "runtime/estimators/numbers.h"
#include "runtime/tasks/ground.h"

namespace bgw::tasks {

/// The words that go with every beta F / N.
inline constexpr const char* kConvention =
    "beta*F/N, classical, Lambda = sigma, n_p = 1, fixed centre of mass with V/N term";

/// The standard error of a logarithm of partition functions as one per particle; none where it is not a number.
std::optional<double> error_per_particle(double sigma, const Ground& ground);

/// Adds `per_particle` (kT), `energy_per_particle` (eV) and, where the system has a mass, `absolute` (kT, true de
/// Broglie wavelength).
/// @param log_ratio  ln(Z / Z_Gaussian) with its standard error
/// @param n          samples behind it
void add_free_energy(artifacts::Artifact& artifact, const Ground& ground, const estimators::Estimate& log_ratio,
                     std::int64_t n);

}  // namespace bgw::tasks
