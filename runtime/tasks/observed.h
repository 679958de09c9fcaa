#pragma once

#include <memory>
#include <string>

#include "runtime/engine/task.h"
#include "runtime/estimators/averages.h"
#include "runtime/tensor/tensor.h"

namespace bgw::tasks {

/// The samples behind the argument `of` of a task that averages over them, with their weights where it wants them.
struct Observed {
  std::shared_ptr<const artifacts::Artifact> artifact;
  Tensor displacements;   // [n, N, 3]
  Tensor sites, cell;     // [N, 3], [3, 3]
  Tensor deformation;     // [n, 3, 3], or undefined at constant volume
  Tensor weights;         // [n], normalised, or undefined
  estimators::Blocks blocks;

  std::int64_t count() const { return displacements.size(0); }
  std::int64_t atoms() const { return sites.size(0); }
  /// Of each configuration, [n], cubic angstrom.
  Tensor volumes() const;
};

/// @throws InputError where weights are wanted and the samples carry none
Observed observed(engine::TaskContext& context);

/// Weights that sum to one, or undefined where the argument `weighted` is false.
Tensor weights_of(engine::TaskContext& context, const artifacts::Artifact& samples);

/// Potential energies, [n], eV: those that the samples carry, or those of the system among the arguments.
Tensor energies_of(engine::TaskContext& context, const Observed& samples, artifacts::Cost& cost);

/// Energies less the part that a harmonic crystal has by chance, [n], eV: U - u.dU/du / 2 + 3 (N - 1) kT / 2 with the centre of
/// mass of u at rest. Their mean is that of the energies, in any ensemble at this temperature and for a potential without jumps;
/// their variance is that of the anharmonic part alone.
/// @source Moustafa, Schultz and Kofke, Phys. Rev. E 92, 043303 (2015)
Tensor mapped_energies_of(engine::TaskContext& context, const Observed& samples, double temperature_energy, artifacts::Cost& cost);

/// Traces of the strain gradient, [n], eV: dU / d epsilon for x -> (1 + epsilon) x.
Tensor virials_of(engine::TaskContext& context, const Observed& samples, artifacts::Cost& cost);

/// A number with its error; without one where there are too few samples to tell.
artifacts::Result result_from(const std::string& name, const estimators::Estimate& estimate, const std::string& unit, std::int64_t n,
                              const std::string& convention = "");

}  // namespace bgw::tasks
