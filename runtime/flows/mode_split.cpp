#include "runtime/flows/mode_split.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>

#include "compiler/plan/plan.h"
#include "runtime/foundation/errors.h"
#include "runtime/tensor/random_stream.h"

namespace bgw::flows {
namespace {

plan::Key key_of_seed(std::uint64_t seed) {
  plan::Key key;
  for (std::size_t i = 0; i < 8; ++i) key.bytes[i] = static_cast<std::uint8_t>(seed >> (8 * i));
  return key;
}

const ModeSplitSpec& checked(const ModeSplitSpec& spec, std::int64_t modes) {
  if (spec.splits < 1) throw InputError("mode_split: splits must be at least 1, not " + std::to_string(spec.splits));
  if (spec.look_ahead < 0) {
    throw InputError("mode_split: look_ahead must be 0 (never) or k (every k-th split), not " +
                     std::to_string(spec.look_ahead));
  }
  if (modes < 2) throw InputError("mode_split: a crystal with " + std::to_string(modes) + " mode cannot be split");
  return spec;
}

std::optional<LinearRemainder> remainder_of(const physics::WhitenedTarget& target, const physics::EnergyModel* guide,
                                            std::uint64_t seed) {
  if (guide == nullptr) return std::nullopt;
  return LinearRemainder(target, *guide, tensor::RandomStream(key_of_seed(seed), "mode_split.guide"));
}

/// The nearest multiple of 2^-40, for |x| < 2^11.
double on_grid(double x) {
  constexpr double kShift = 0x1.8p12;
  return (x + kShift) - kShift;
}

/// Rows [B, m] as numbers.
template <class F>
void for_each_number(std::int64_t rows, std::int64_t modes, F visit) {
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t j = 0; j < modes; ++j) visit(r * modes + j, static_cast<std::size_t>(j));
  }
}

/// Calls work(first, rows) for the blocks of a batch, which do not know of each other.
template <class F>
void for_each_block(std::int64_t size, std::int64_t batch, F work) {
  at::parallel_for(0, (batch + size - 1) / size, 1, [&](std::int64_t begin, std::int64_t end) {
    const at::NoGradGuard no_grad;
    for (std::int64_t b = begin; b < end; ++b) work(b * size, std::min(size, batch - b * size));
  });
}

/// Sums of x_j v_j^k over the modes.
void add_moments(const double* x, const std::vector<double>& v, double (&sums)[3]) {
  double s0 = 0, s1 = 0, s2 = 0;
  for (std::size_t j = 0; j < v.size(); ++j) {
    s0 += x[j];
    s1 += x[j] * v[j];
    s2 += x[j] * v[j] * v[j];
  }
  sums[0] += s0;
  sums[1] += s1;
  sums[2] += s2;
}

Tensor as_batch(const Tensor& rows, std::int64_t dimension) {
  if (rows.dim() != 2 || rows.size(1) != dimension)
    throw ShapeError("mode_split: modes must have the shape [batch, " + std::to_string(dimension) + "]");
  return rows.detach().to(at::kDouble).contiguous();
}

Tensor half_square(const Tensor& rows) { return 0.5 * rows.square().sum(1); }

}  // namespace

struct ModeSplitFlow::Table {
  std::vector<double> widening;  // [m], e^s
  std::vector<SplitGains> splits;
  std::vector<double> stiffness;                  // [m], v
  std::unique_ptr<const LearnedModeForce> force;  // with the weights of its network; null: the force of the flow
};

/// Some samples on their way through the flow.
class ModeSplitFlow::Block {
 public:
  Block(const ModeSplitFlow& flow, const Table& table, Tensor y)
      : flow_(flow), table_(table), y_(std::move(y)), rows_(y_.size(0)), modes_(y_.size(1)) {}

  const Tensor& y() const { return y_; }
  const Tensor& score() const { return score_; }

  /// y = e^s z, and back.
  void widen() {
    scale(false);
    settle();
  }
  void narrow() { scale(true); }

  void forward() {
    for (std::int64_t l = 0; l < splits(); ++l) {
      for (int c : {0, 1}) move(l, c, -1.0);
    }
  }
  void inverse() {
    settle();
    for (std::int64_t l = splits() - 1; l >= 0; --l) {
      for (int c : {1, 0}) move(l, c, 1.0);
    }
  }

  /// Forward, with the states before each step kept for `pull_back`; with the score as well where `score` is given.
  void forward_kept(const Tensor& score) {
    score_ = score;
    for (std::int64_t l = 0; l < splits(); ++l) {
      for (int c : {0, 1}) {
        const Step step{l, c};
        Kept kept{y_, Tensor()};
        if (score_.defined()) {
          Response r = respond(step, y_, masked(step, score_), Tensor(), nullptr);
          kept.force = flow_.gains_.looks_ahead(l) ? r.force : Tensor();
          y_ = y_ - r.shift;
          score_ = score_ + r.back;
        } else {
          const Shift s = shift(step, y_);
          kept.force = flow_.gains_.looks_ahead(l) ? s.force : Tensor();
          y_ = y_ - s.shift;
        }
        kept_.push_back(std::move(kept));
      }
    }
  }

  /// From dL/dy at the end to dL/dy after the widening. @param gradient [rows, P] is added to, unless null
  Tensor pull_back(Tensor bar, Tensor* gradient) const {
    for (std::int64_t l = splits() - 1; l >= 0; --l) {
      for (int c : {1, 0}) {
        const Step step{l, c};
        const Kept& kept = kept_[static_cast<std::size_t>(2 * l + c)];
        bar = bar - respond(step, kept.y, masked(step, bar), kept.force, gradient).back;
      }
    }
    return bar;
  }

  /// The gradient of -ln q at y, the end, [rows, P] added to; y becomes the state after the widening.
  void add_likelihood_gradient(Tensor* gradient) {
    std::vector<Kept> passed;
    settle();
    for (std::int64_t l = splits() - 1; l >= 0; --l) {
      for (int c : {1, 0}) {
        const Shift s = shift({l, c}, y_);
        passed.push_back({y_, flow_.gains_.looks_ahead(l) ? s.force : Tensor()});
        y_ = y_ + s.shift;
      }
    }
    score_ = score_of_widened();
    for (std::int64_t l = 0; l < splits(); ++l) {
      for (int c : {0, 1}) {
        const Kept& kept = passed[passed.size() - 1 - static_cast<std::size_t>(2 * l + c)];
        score_ = score_ + respond({l, c}, kept.y, masked({l, c}, score_), kept.force, gradient).back;
      }
    }
  }

  /// d ln q / dy after the widening.
  Tensor score_of_widened() const {
    Tensor score = at::empty_like(y_);
    double* s = score.data_ptr<double>();
    const double* y = y_.data_ptr<double>();
    for_each_number(rows_, modes_, [&](std::int64_t i, std::size_t j) {
      s[i] = -y[i] / (table_.widening[j] * table_.widening[j]);
    });
    return score;
  }

 private:
  struct Step {
    std::int64_t split;
    int conditioning;  // half that acts: 0 is A
  };
  /// Before a step.
  struct Kept {
    Tensor y;
    Tensor force;  // F, of a split that looks ahead
  };
  struct Shift {
    Tensor shift;  // t, zero in C
    Tensor force;  // F
  };
  struct Response {
    Tensor shift;
    Tensor force;
    Tensor back;  // (dt/dy_C)^T w, zero in U
  };

  std::int64_t splits() const { return flow_.spec_.splits; }
  const std::vector<double>& acting(const Step& s) const {
    return flow_.splits_[static_cast<std::size_t>(s.split)].in_half[s.conditioning];
  }
  const std::vector<double>& moving(const Step& s) const {
    return flow_.splits_[static_cast<std::size_t>(s.split)].in_half[1 - s.conditioning];
  }
  const SplitGains& gains(const Step& s) const { return table_.splits[static_cast<std::size_t>(s.split)]; }

  template <class F>
  Tensor made(F number) const {
    Tensor result = at::empty_like(y_);
    double* out = result.data_ptr<double>();
    for_each_number(rows_, modes_, [&](std::int64_t i, std::size_t j) { out[i] = number(i, j); });
    return result;
  }

  void scale(bool back) {
    const double* y = y_.data_ptr<double>();
    y_ = made([&](std::int64_t i, std::size_t j) {
      return back ? y[i] / table_.widening[j] : y[i] * table_.widening[j];
    });
  }

  // A float32 force has steps, and a state that came back with another last bit might stand on the other side of one. So
  // its states and shifts are multiples of 2^-40: their sums are exact, and the inverse meets the very states of the forward
  // pass. A state from elsewhere moves by 5e-13 at most.
  Tensor settled(const Tensor& x) const {
    if (!flow_.is_single()) return x;
    const double* from = x.data_ptr<double>();
    return made([&](std::int64_t i, std::size_t) { return on_grid(from[i]); });
  }
  void settle() { y_ = settled(y_); }

  const ModeForce& at_work() const {
    if (table_.force != nullptr) return *table_.force;
    return *flow_.force_;
  }

  Tensor masked(const Step& step, const Tensor& w) const {
    const std::vector<double>& in_u = moving(step);
    const double* from = w.data_ptr<double>();
    return made([&](std::int64_t i, std::size_t j) { return in_u[j] * from[i]; });
  }

  /// A = h y_C
  Tensor amplified(const Step& step, const Tensor& y) const {
    const std::vector<double>& in_c = acting(step);
    const std::vector<double>& h = gains(step).field;
    const double* from = y.data_ptr<double>();
    return made([&](std::int64_t i, std::size_t j) { return h[j] * in_c[j] * from[i]; });
  }

  /// d = -lambda (F - A)
  Tensor look(const Step& step, const Tensor& force, const Tensor& amplified) const {
    const std::vector<double>& lambda = gains(step).step;
    const double* f = force.data_ptr<double>();
    const double* a = amplified.data_ptr<double>();
    return made([&](std::int64_t i, std::size_t j) { return -lambda[j] * (f[i] - a[i]); });
  }

  /// t = (a/L) F + (a2/n) (G - d - F) in U, with G the force at u + M d.
  Tensor shift_of(const Step& step, const Tensor& force, const Tensor& second, const Tensor& d) const {
    const std::vector<double>& in_u = moving(step);
    const SplitGains& g = gains(step);
    const double* f = force.data_ptr<double>();
    if (!second.defined())
      return settled(made([&](std::int64_t i, std::size_t j) { return in_u[j] * (g.force[j] * f[i]); }));
    const double* f2 = second.data_ptr<double>();
    const double* dd = d.data_ptr<double>();
    return settled(made([&](std::int64_t i, std::size_t j) {
      return in_u[j] * (g.force[j] * f[i] + g.look_ahead[j] * (f2[i] - dd[i] - f[i]));
    }));
  }

  Shift shift(const Step& step, const Tensor& y) const {
    const Tensor a = amplified(step, y);
    const Tensor u = at_work().field(a);
    const Tensor f = at_work().force(a, u);
    if (!flow_.gains_.looks_ahead(step.split)) return {shift_of(step, f, {}, {}), f};
    const Tensor d = look(step, f, a);
    return {shift_of(step, f, at_work().force(a + d, u + at_work().field(d)), d), f};
  }

  void move(std::int64_t split, int conditioning, double sign) {
    y_ = at::add(y_, shift({split, conditioning}, y_).shift, sign);
  }

  /// The shift and its derivatives along w, which is zero in C.
  /// @param force     F where it is known already; used when looking ahead
  /// @param gradient  [rows, P], -w dt/dparameters is added, unless null
  Response respond(const Step& step, const Tensor& y, const Tensor& w, const Tensor& force, Tensor* gradient) const {
    return flow_.gains_.looks_ahead(step.split) ? respond_looking(step, y, w, force, gradient)
                                         : respond_plainly(step, y, w, gradient);
  }

  Tensor times(const std::vector<double>& factors, const Tensor& x) const {
    const double* from = x.data_ptr<double>();
    return made([&](std::int64_t i, std::size_t j) { return factors[j] * from[i]; });
  }

  Tensor back_of(const Step& step, const Tensor& bar_amplified) const {
    const std::vector<double>& in_c = acting(step);
    const std::vector<double>& h = gains(step).field;
    const double* q = bar_amplified.data_ptr<double>();
    return made([&](std::int64_t i, std::size_t j) { return in_c[j] * (h[j] * q[i]); });
  }

  Response respond_plainly(const Step& step, const Tensor& y, const Tensor& w, Tensor* gradient) const {
    const Tensor a = amplified(step, y);
    const Tensor along = times(gains(step).force, w);
    const auto [f, q] = at_work().force_and_product(a, at_work().field(a), along);
    if (gradient != nullptr) add_gradient(step, y, w, f, {}, q, {}, *gradient);
    return {shift_of(step, f, {}, {}), f, back_of(step, q)};
  }

  // Backwards through t: w -> the second force and d -> the first force -> A.
  Response respond_looking(const Step& step, const Tensor& y, const Tensor& w, const Tensor& force,
                           Tensor* gradient) const {
    const SplitGains& g = gains(step);
    const Tensor a = amplified(step, y);
    const Tensor u = at_work().field(a);
    const Tensor f = force.defined() ? force : at_work().force(a, u);
    const Tensor d = look(step, f, a);
    const Tensor bar_second = times(g.look_ahead, w);
    const auto [second, through_second] =
        at_work().force_and_product(a + d, u + at_work().field(d), bar_second);
    const Tensor bar_d = through_second - bar_second;
    const double* ww = w.data_ptr<double>();
    const double* bd = bar_d.data_ptr<double>();
    const Tensor bar_force = made([&](std::int64_t i, std::size_t j) {
      return (g.force[j] - g.look_ahead[j]) * ww[i] - g.step[j] * bd[i];
    });
    const Tensor through_first = at_work().force_and_product(a, u, bar_force).product;
    const double* q1 = through_first.data_ptr<double>();
    const double* q2 = through_second.data_ptr<double>();
    const Tensor bar_amplified =
        made([&](std::int64_t i, std::size_t j) { return q1[i] + q2[i] + g.step[j] * bd[i]; });
    if (gradient != nullptr) {
      const Tensor change = second - d - f;
      add_gradient(step, y, w, f, change, bar_amplified, bar_d * (a - f), *gradient);
    }
    return {shift_of(step, f, second, d), f, back_of(step, bar_amplified)};
  }

  /// @param change        F2 - F, or undefined
  /// @param bar_amplified what w becomes at A
  /// @param bar_step      w dt/dlambda, or undefined
  void add_gradient(const Step& step, const Tensor& y, const Tensor& w, const Tensor& f, const Tensor& change,
                    const Tensor& bar_amplified, const Tensor& bar_step, Tensor& gradient) const {
    const std::vector<double>& v = table_.stiffness;
    const std::vector<double>& in_c = acting(step);
    const Tensor bar_force = w * f;
    const double* from = y.data_ptr<double>();
    const double* q = bar_amplified.data_ptr<double>();
    const Tensor bar_field = made([&](std::int64_t i, std::size_t j) { return in_c[j] * from[i] * q[i]; });
    const Tensor bar_look = change.defined() ? w * change : Tensor();
    const Tensor minus_gradient = at::zeros_like(gradient);
    const std::int64_t width = gradient.size(1);
    for (std::int64_t r = 0; r < rows_; ++r) {
      GainSums sums;
      add_moments(bar_force.data_ptr<double>() + r * modes_, v, sums.force);
      add_moments(bar_field.data_ptr<double>() + r * modes_, v, sums.field);
      if (change.defined()) {
        add_moments(bar_look.data_ptr<double>() + r * modes_, v, sums.look_ahead);
        add_moments(bar_step.data_ptr<double>() + r * modes_, v, sums.step);
      }
      flow_.gains_.add_gradient(step.split, sums, minus_gradient.data_ptr<double>() + r * width);
    }
    gradient.sub_(minus_gradient);
  }

  const ModeSplitFlow& flow_;
  const Table& table_;
  Tensor y_, score_;
  std::int64_t rows_, modes_;
  std::vector<Kept> kept_;  // 2 L, in the order of the steps
};

ModeSplitFlow::ModeSplitFlow(const physics::WhitenedTarget& target, const ModeSplitSpec& spec,
                             const physics::EnergyModel* guide, const LocalForce* learned)
    : target_(target),
      learned_(learned),
      spec_(checked(spec, target.dimension())),
      gains_(spec.gains, spec.splits, spec.look_ahead, target.modes().squared_norms()),
      layout_(gains_.layout()) {
  const std::int64_t m = target.dimension();
  if (guide != nullptr && guide->particles() != target.particles())
    throw ShapeError("mode_split: the guide is of another crystal");
  if (learned != nullptr) {
    if (learned->particles() != target.particles()) throw ShapeError("mode_split: the learned force is of another crystal");
    if (learned->spec().precision != spec.precision) throw std::logic_error("mode_split: the learned force is of another precision");
    layout_.append("force", learned->layout());
  } else {
    const physics::EnergyModel& model = guide == nullptr ? target.model() : *guide;
    std::optional<LinearRemainder> remainder = remainder_of(target, guide, spec.seed);
    if (is_single()) force_ = std::make_unique<SingleGradientForce>(target, model, std::move(remainder));
    else force_ = std::make_unique<GradientForce>(target, model, std::move(remainder));
  }
  const tensor::RandomStream stream(key_of_seed(spec.seed), "mode_split.halves");
  for (std::int64_t l = 0; l < spec.splits; ++l) {
    Split split;
    split.order = stream.permutation(l, m);
    split.in_half[0].assign(static_cast<std::size_t>(m), 0.0);
    split.in_half[1].assign(static_cast<std::size_t>(m), 1.0);
    const std::int64_t* mode = split.order.data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < m / 2; ++i) {
      split.in_half[0][static_cast<std::size_t>(mode[i])] = 1.0;
      split.in_half[1][static_cast<std::size_t>(mode[i])] = 0.0;
    }
    splits_.push_back(std::move(split));
  }
}

ModeSplitFlow::Table ModeSplitFlow::table(const Tensor& parameters) const {
  if (parameters.dim() != 1 || parameters.size(0) != layout().size())
    throw ShapeError("mode_split: parameters must be [" + std::to_string(layout().size()) + "]");
  const Tensor numbers = parameters.detach().to(at::kDouble).contiguous();
  Table table;
  table.stiffness = gains_.stiffness(numbers.data_ptr<double>());
  table.widening = gains_.log_widening(numbers.data_ptr<double>());
  for (double& s : table.widening) s = std::exp(s);
  for (std::int64_t l = 0; l < spec_.splits; ++l) table.splits.push_back(gains_.at(l, numbers.data_ptr<double>()));
  const ParameterRange weights = learned_force();
  if (learned_ != nullptr) {
    table.force = std::make_unique<LearnedModeForce>(target_, *learned_, numbers.narrow(0, weights.first, weights.count));
  }
  return table;
}

std::int64_t ModeSplitFlow::rows_at_once() const { return force_ != nullptr ? force_->rows_at_once() : LearnedModeForce::kRows; }

Tensor ModeSplitFlow::start(const plan::Key& stream_key) const {
  if (learned_ == nullptr) return gains_.start();
  return at::cat({gains_.start(), learned_->layout().start(stream_key, at::kDouble)});
}

Tensor ModeSplitFlow::among_all(const Tensor& by_gains) const {
  if (learned_ == nullptr) return by_gains;
  Tensor sum = at::zeros({1, layout_.size()}, at::kDouble);
  for (std::int64_t r = 0; r < by_gains.size(0); ++r) sum[0].narrow(0, 0, by_gains.size(1)).add_(by_gains[r]);
  return sum;
}

Tensor ModeSplitFlow::forward(const Tensor& z, const Tensor& parameters) const {
  const Tensor in = as_batch(z, dimension());
  const Table gains = table(parameters);
  Tensor result = at::empty_like(in);
  for_each_block(rows_at_once(), in.size(0), [&](std::int64_t first, std::int64_t rows) {
    Block block(*this, gains, in.narrow(0, first, rows));
    block.widen();
    block.forward();
    result.narrow(0, first, rows).copy_(block.y());
  });
  return result;
}

Tensor ModeSplitFlow::inverse(const Tensor& y, const Tensor& parameters) const {
  const Tensor in = as_batch(y, dimension());
  const Table gains = table(parameters);
  Tensor result = at::empty_like(in);
  for_each_block(rows_at_once(), in.size(0), [&](std::int64_t first, std::int64_t rows) {
    Block block(*this, gains, in.narrow(0, first, rows));
    block.inverse();
    block.narrow();
    result.narrow(0, first, rows).copy_(block.y());
  });
  return result;
}

double ModeSplitFlow::log_determinant(const Tensor& parameters) const {
  const Tensor numbers = parameters.detach().to(at::kDouble).contiguous();
  const std::vector<double> s = gains_.log_widening(numbers.data_ptr<double>());
  return std::accumulate(s.begin(), s.end(), 0.0);
}

Tensor ModeSplitFlow::reduced(const Tensor& energy) const { return target_.beta() * (energy - target_.static_energy()); }

Draws ModeSplitFlow::generate(const Tensor& z, const Tensor& parameters) const {
  const Tensor displacements = target_.displacements(forward(z, parameters));
  const Tensor energy = target_.model().energy(displacements);
  return {displacements, energy, half_square(z) + log_determinant(parameters) - reduced(energy)};
}

Tensor ModeSplitFlow::log_weight_of(const Tensor& displacements, const Tensor& parameters) const {
  const Tensor z = inverse(target_.whiten(displacements), parameters);
  return half_square(z) + log_determinant(parameters) - reduced(target_.model().energy(displacements));
}

// Total: L = beta U(x) - ln det. Path: L = ln q(x) - ln p(x) where parameters count through x alone, so that what is pulled
// back is the difference of two scores, which vanishes where model and crystal agree.
SampleLoss ModeSplitFlow::reverse_kl(KlGradient kind, const Tensor& z, const Tensor& parameters) const {
  const Tensor in = as_batch(z, dimension());
  const Table gains = table(parameters);
  const std::int64_t m = dimension();
  Tensor energies = at::empty({in.size(0)}, at::kDouble);
  Tensor gradient = at::zeros({in.size(0), gains_.layout().size()}, at::kDouble);
  for_each_block(rows_at_once(), in.size(0), [&](std::int64_t first, std::int64_t rows) {
    Block block(*this, gains, in.narrow(0, first, rows));
    block.widen();
    block.forward_kept(kind == KlGradient::path ? block.score_of_widened() : Tensor());
    const physics::EnergyAndGradient end = target_.model().energy_and_gradient(target_.displacements(block.y()));
    energies.narrow(0, first, rows).copy_(end.energy);
    Tensor bar = target_.modes().pull_back(end.gradient).mul_(target_.beta());
    if (kind == KlGradient::path) bar.add_(block.score());
    Tensor own = gradient.narrow(0, first, rows);
    bar = block.pull_back(bar, &own);
    // dL/ds at y = e^s z.
    Tensor widening = at::empty_like(bar);
    for_each_number(rows, m, [&](std::int64_t i, std::size_t j) {
      const double y0 = gains.widening[j] * in.data_ptr<double>()[first * m + i];
      widening.data_ptr<double>()[i] = bar.data_ptr<double>()[i] * y0 - (kind == KlGradient::total ? 1.0 : 0.0);
    });
    for (std::int64_t r = 0; r < rows; ++r)
      gains_.add_widening_gradient(widening.data_ptr<double>() + r * m, gains.stiffness,
                                   own.data_ptr<double>() + r * gains_.layout().size());
  });
  return {half_square(in) + log_determinant(parameters) - reduced(energies), among_all(gradient)};
}

SampleLoss ModeSplitFlow::forward_kl(const Tensor& displacements, const Tensor& parameters) const {
  const Tensor last = as_batch(target_.whiten(displacements), dimension());
  const Table gains = table(parameters);
  const std::int64_t m = dimension();
  Tensor z = at::empty_like(last);
  Tensor gradient = at::zeros({last.size(0), gains_.layout().size()}, at::kDouble);
  for_each_block(rows_at_once(), last.size(0), [&](std::int64_t first, std::int64_t rows) {
    Block block(*this, gains, last.narrow(0, first, rows));
    Tensor own = gradient.narrow(0, first, rows);
    block.add_likelihood_gradient(&own);
    block.narrow();
    z.narrow(0, first, rows).copy_(block.y());
    // -ln q = |z|^2 / 2 + s with z = e^-s y.
    const Tensor widening = 1.0 - block.y().square();
    for (std::int64_t r = 0; r < rows; ++r)
      gains_.add_widening_gradient(widening.data_ptr<double>() + r * m, gains.stiffness,
                                   own.data_ptr<double>() + r * gains_.layout().size());
  });
  const Tensor energy = target_.model().energy(displacements);
  return {reduced(energy) - half_square(z) - log_determinant(parameters), among_all(gradient)};
}

LatentValue ModeSplitFlow::latent_work(const Tensor& z, const Tensor& parameters) const {
  const Tensor in = as_batch(z, dimension());
  const Table gains = table(parameters);
  const std::int64_t m = dimension();
  LatentValue value{at::empty({in.size(0)}, at::kDouble), at::empty_like(in), at::empty({in.size(0)}, at::kDouble)};
  const Tensor constant = half_square(in) + log_determinant(parameters);
  for_each_block(rows_at_once(), in.size(0), [&](std::int64_t first, std::int64_t rows) {
    Block block(*this, gains, in.narrow(0, first, rows));
    block.widen();
    block.forward_kept({});
    const Tensor u = target_.displacements(block.y());
    const physics::EnergyAndGradient end = target_.model().energy_and_gradient(u);
    value.work.narrow(0, first, rows).copy_(reduced(end.energy) - constant.narrow(0, first, rows));
    value.largest_displacement.narrow(0, first, rows).copy_(u.square().sum(2).amax(1).sqrt());
    const Tensor bar = block.pull_back(target_.modes().pull_back(end.gradient).mul_(target_.beta()), nullptr);
    for_each_number(rows, m, [&](std::int64_t i, std::size_t j) {
      const std::int64_t k = first * m + i;
      value.gradient.data_ptr<double>()[k] = gains.widening[j] * bar.data_ptr<double>()[i] - in.data_ptr<double>()[k];
    });
  });
  return value;
}

SampleLoss ModeSplitFlow::force_matching(const LabelledFields& labels, const Tensor& parameters) const {
  if (learned_ == nullptr) throw std::logic_error("mode_split: this flow learns no force");
  const Tensor y = as_batch(labels.modes, dimension());
  const Table gains = table(parameters);
  const ParameterRange weights = learned_force();
  const std::int64_t size = rows_at_once();
  Tensor loss = at::empty({y.size(0)}, at::kDouble);
  Tensor gradient = at::zeros({(y.size(0) + size - 1) / size, layout_.size()}, at::kDouble);
  for_each_block(size, y.size(0), [&](std::int64_t first, std::int64_t rows) {
    const LocalForce::Pass pass(*learned_, gains.force->networks(), target_.displacements(y.narrow(0, first, rows)));
    const Tensor off = target_.modes().pull_back(pass.force()).sub_(labels.force.narrow(0, first, rows));
    loss.narrow(0, first, rows).copy_(half_square(off));
    Tensor own = gradient[first / size].narrow(0, weights.first, weights.count);
    pass.add_gradient(target_.displacements(off), own);
  });
  return {-loss, gradient};
}

std::int64_t ModeSplitFlow::calls_per_sample() const {
  return learned_ != nullptr ? 0 : 2 * spec_.splits + 2 * look_ahead_splits();
}

Tensor ModeSplitFlow::half(std::int64_t split) const {
  return splits_.at(static_cast<std::size_t>(split)).order.slice(0, 0, dimension() / 2);
}

}  // namespace bgw::flows
