#include "runtime/sampling/relaxation.h"

#include <cmath>

#include "runtime/sampling/descent.h"
#include "runtime/tensor/random_stream.h"

namespace bgw::sampling {
namespace {

constexpr double kMostLogVolume = 1.3862943611198906;  // ln 4
constexpr double kLongestStep = 0.08;                  // of the spacing of atoms
constexpr double kPhase = 0.5;                         // time step times the highest frequency
constexpr double kFriction = 0.05;                     // over the highest frequency

std::vector<double> row_of(const Tensor& points, std::int64_t row) {
  const double* begin = points.data_ptr<double>() + row * points.size(1);
  return {begin, begin + points.size(1)};
}

Tensor as_tensor(const std::vector<double>& numbers) {
  return at::tensor(at::ArrayRef<double>(numbers), at::kDouble);
}

Tensor stacked_trials(const std::vector<Descent>& descents, const std::vector<std::size_t>& active, std::int64_t width) {
  Tensor points = at::empty({static_cast<std::int64_t>(active.size()), width}, at::kDouble);
  double* out = points.data_ptr<double>();
  for (const std::size_t i : active) out = std::copy(descents[i].trial().begin(), descents[i].trial().end(), out);
  return points;
}

bool is_lost(const EnthalpySurface& surface, const Descent& descent) {
  if (!std::isfinite(descent.height())) return true;
  const double ratio = surface.log_volume_ratio(as_tensor(descent.point()).unsqueeze(0)).item<double>();
  return !(std::abs(ratio) <= kMostLogVolume);
}

Relaxed result_of(const Descent& descent, Relaxed::End end) {
  return {end, as_tensor(descent.point()), descent.height(), descent.largest_slope()};
}

/// Of the numbers of a row, less their mean over the atoms.
void take_off_mean(double* row, std::int64_t particles) {
  for (std::int64_t d = 0; d < 3; ++d) {
    double sum = 0;
    for (std::int64_t i = 0; i < particles; ++i) sum += row[3 * i + d];
    for (std::int64_t i = 0; i < particles; ++i) row[3 * i + d] -= sum / static_cast<double>(particles);
  }
}

/// What the rows of an annealing are between two steps.
struct Walk {
  Tensor points, velocities, slope;  // [B, width]
  std::vector<bool> going;
};

void kick(Walk& walk, double time) {
  double *v = walk.velocities.data_ptr<double>(), *g = walk.slope.data_ptr<double>();
  for (std::int64_t k = 0; k < walk.velocities.numel(); ++k) v[k] -= time * g[k];
}

void drift(Walk& walk, double time) {
  double *x = walk.points.data_ptr<double>(), *v = walk.velocities.data_ptr<double>();
  for (std::int64_t k = 0; k < walk.points.numel(); ++k) x[k] += time * v[k];
}

void renew(Walk& walk, double kept, double spread, Tensor noise, const EnthalpySurface& surface) {
  double *v = walk.velocities.data_ptr<double>(), *w = noise.data_ptr<double>();
  for (std::int64_t row = 0; row < noise.size(0); ++row) take_off_mean(w + row * noise.size(1), surface.particles());
  for (std::int64_t k = 0; k < noise.numel(); ++k) v[k] = kept * v[k] + spread * w[k];
}

}  // namespace

std::vector<Relaxed> relaxed(const EnthalpySurface& surface, const Tensor& points, const RelaxationOptions& options,
                             const std::function<void(std::int64_t)>& step) {
  std::vector<Descent> descents;
  std::vector<std::size_t> active;
  std::vector<Relaxed> ends(static_cast<std::size_t>(points.size(0)));
  const Tensor starts = points.contiguous();
  for (std::int64_t row = 0; row < points.size(0); ++row) {
    descents.emplace_back(row_of(starts, row), options.stiffness, kLongestStep * surface.spacing());
    active.push_back(static_cast<std::size_t>(row));
  }
  for (std::int64_t k = 0; k < options.steps && !active.empty(); ++k) {
    const HeightAndSlope found = surface.at(stacked_trials(descents, active, surface.width()));
    const Tensor slopes = found.slope.contiguous();
    std::vector<std::size_t> still;
    for (std::size_t a = 0; a < active.size(); ++a) {
      Descent& descent = descents[active[a]];
      const auto row = static_cast<std::int64_t>(a);
      descent.tell(found.height[row].item<double>(), slopes.data_ptr<double>() + row * surface.width());
      const bool settled = descent.largest_slope() < options.tolerance || descent.stuck();
      if (is_lost(surface, descent)) ends[active[a]] = result_of(descent, Relaxed::End::lost);
      else if (settled) ends[active[a]] = result_of(descent, Relaxed::End::settled);
      else still.push_back(active[a]);
    }
    active = std::move(still);
    step(points.size(0) - static_cast<std::int64_t>(active.size()));
  }
  for (const std::size_t i : active) ends[i] = result_of(descents[i], Relaxed::End::unsettled);
  return ends;
}

Tensor annealed(const EnthalpySurface& surface, const Tensor& points, std::int64_t first_try, const AnnealingOptions& options,
                const std::function<void(std::int64_t)>& step) {
  const tensor::RandomStream randoms(options.stream_key, "relax.anneal");
  const std::int64_t rows = points.size(0);
  const double frequency = std::sqrt(options.stiffness), time = kPhase / frequency;
  const double kept = std::exp(-kFriction * frequency * time);
  const auto noise = [&](std::int64_t k) { return randoms.normal(k, first_try, rows, surface.width()); };
  Walk walk{points.clone(), at::zeros_like(points), surface.at(points).slope.contiguous(), {}};
  renew(walk, 0.0, std::sqrt(options.kt), noise(0), surface);
  Tensor last = walk.points.clone();
  for (std::int64_t k = 0; k < options.steps; ++k) {
    const double kt = options.kt * (1.0 - static_cast<double>(k) / static_cast<double>(options.steps));
    kick(walk, 0.5 * time);
    drift(walk, 0.5 * time);
    renew(walk, kept, std::sqrt(kt * (1.0 - kept * kept)), noise(k + 1), surface);
    drift(walk, 0.5 * time);
    const HeightAndSlope found = surface.at(walk.points);
    walk.slope = found.slope.contiguous();
    const Tensor wrong = found.height.isfinite().logical_not().unsqueeze(1);
    walk.points = at::where(wrong, last, walk.points).contiguous();
    walk.velocities = at::where(wrong, at::zeros_like(walk.velocities), walk.velocities).contiguous();
    walk.slope = at::where(wrong, at::zeros_like(walk.slope), walk.slope).contiguous();
    kick(walk, 0.5 * time);
    last = walk.points.clone();
    step(k + 1);
  }
  return walk.points;
}

}  // namespace bgw::sampling
