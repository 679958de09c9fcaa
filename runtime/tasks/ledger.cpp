#include "runtime/tasks/ledger.h"

namespace bgw::tasks {

artifacts::Cost cost_of(const physics::CallCount& calls) { return {calls.energy, calls.gradient, calls.hessian, 0.0}; }

physics::CallCount calls_of(const artifacts::Cost& cost) {
  return {cost.energy_calls, cost.gradient_calls, cost.hessian_calls};
}

physics::CallCount operator+(const physics::CallCount& a, const physics::CallCount& b) {
  return {a.energy + b.energy, a.gradient + b.gradient, a.hessian + b.hessian};
}

physics::CallCount operator-(const physics::CallCount& a, const physics::CallCount& b) {
  return {a.energy - b.energy, a.gradient - b.gradient, a.hessian - b.hessian};
}

}  // namespace bgw::tasks
