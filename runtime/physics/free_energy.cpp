#include "runtime/physics/free_energy.h"

#include <cmath>

namespace bgw::physics {

double free_energy_per_particle(double log_zc, std::int64_t n, double volume, double sigma) {
  const auto count = static_cast<double>(n);
  return -(log_zc + std::log(volume) + 0.5 * std::log(count)) / count + 3.0 * std::log(sigma);
}

}  // namespace bgw::physics
