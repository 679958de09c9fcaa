#include "runtime/flows/local_force.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "runtime/flows/atom_graph.h"
#include "runtime/foundation/errors.h"
#include "runtime/physics/crystal_symmetry.h"

namespace bgw::flows {
namespace {

constexpr double kSamePlace = 1e-3;  // of the distance of the nearest neighbour: files round
constexpr std::size_t kParametersOfNetwork = 6;

using Rotation = std::array<double, 9>;  // rows one after the other

Tensor sites_of(const crystal::Crystal& crystal) {
  Tensor sites = at::empty({static_cast<std::int64_t>(crystal.sites.size()), 3}, at::kDouble);
  double* to = sites.data_ptr<double>();
  for (const crystal::Vector3& site : crystal.sites) to = std::copy(site.begin(), site.end(), to);
  return sites;
}

/// The first unit cell, as a crystal of its own.
crystal::Crystal unit_of(const crystal::Crystal& whole) {
  const auto copies = static_cast<std::size_t>(whole.repeats[0]) * static_cast<std::size_t>(whole.repeats[1]) *
                      static_cast<std::size_t>(whole.repeats[2]);
  const auto basis = static_cast<std::ptrdiff_t>(whole.sites.size() / copies);
  crystal::Crystal unit{{whole.sites.begin(), whole.sites.begin() + basis}, whole.cell, {1, 1, 1}, {}};
  for (std::size_t d = 0; d < 3; ++d) {
    for (double& x : unit.cell.vectors[d]) x /= static_cast<double>(whole.repeats[d]);
  }
  for (int b = 0; b < static_cast<int>(basis); ++b) unit.basis_index.push_back(b);
  return unit;
}

Rotation numbers_of(const Tensor& rotation) {
  Rotation result{};
  std::copy_n(rotation.contiguous().data_ptr<double>(), 9, result.begin());
  return result;
}

bool is_inversion(const Rotation& r) {
  for (std::size_t i = 0; i < 9; ++i) {
    if (std::abs(r[i] + (i % 4 == 0 ? 1.0 : 0.0)) > 1e-9) return false;
  }
  return true;
}

/// How an atom of the unit cell sees the network of its kind.
struct View {
  std::int64_t first = 0;  // atom of the unit cell whose neighbours are as they are
  Rotation rotation{};
};

/// For each atom of the unit cell. Of the operations that carry the first atom of a kind to it, the identity is preferred, then
/// the inversion, then the first found.
std::vector<View> views_of(const crystal::Crystal& unit) {
  const physics::CrystalSymmetry symmetry = physics::symmetry_of(unit);
  std::vector<std::pair<Rotation, const std::vector<std::int32_t>*>> operations;
  for (const physics::PointOperation& operation : symmetry.rotations)
    operations.emplace_back(numbers_of(operation.rotation), &operation.image);
  std::stable_partition(operations.begin() + 1, operations.end(), [](const auto& o) { return is_inversion(o.first); });
  const std::vector<std::int32_t>& basis_of = symmetry.translations.basis_of;
  const auto atoms = static_cast<std::int64_t>(unit.sites.size());
  std::vector<View> views(static_cast<std::size_t>(atoms), View{-1, {}});
  for (std::int64_t a = 0; a < atoms; ++a) {
    if (views[static_cast<std::size_t>(a)].first >= 0) continue;
    for (const auto& [rotation, image] : operations) {
      const auto there = static_cast<std::size_t>((*image)[static_cast<std::size_t>(a)]);
      for (std::size_t b = 0; b < views.size(); ++b) {
        if (views[b].first < 0 && basis_of[b] == basis_of[there]) views[b] = {a, rotation};
      }
    }
  }
  return views;
}

/// y = R x, or R^T x.
template <bool kTransposed, class From, class To>
void rotate(const double* r, const From* x, To* y) {
  for (int d = 0; d < 3; ++d) {
    double sum = 0;
    for (int c = 0; c < 3; ++c) sum += r[kTransposed ? 3 * c + d : 3 * d + c] * static_cast<double>(x[c]);
    y[d] = static_cast<To>(sum);
  }
}

/// For each neighbour of the first site, which of the neighbours of another is where the rotation carries it.
std::vector<std::int64_t> order_of(const double* of_first, const double* of_other, const Rotation& rotation, std::int64_t k) {
  const double nearest = std::sqrt(of_first[0] * of_first[0] + of_first[1] * of_first[1] + of_first[2] * of_first[2]);
  std::vector<std::int64_t> order;
  for (std::int64_t s = 0; s < k; ++s) {
    double wanted[3];
    rotate<false>(rotation.data(), of_first + 3 * s, wanted);
    for (std::int64_t t = 0; t < k; ++t) {
      const double* found = of_other + 3 * t;
      const double gap = std::hypot(found[0] - wanted[0], found[1] - wanted[1], found[2] - wanted[2]);
      if (gap < kSamePlace * nearest) order.push_back(t);
    }
    if (std::ssize(order) != s + 1) throw std::logic_error("a symmetry of the crystal does not carry neighbours onto each other");
  }
  return order;
}

struct Activated {
  Tensor value, slope;
};

/// act(z) and its derivative: with q = (1 + z^2)^(-1/2), z (1 + z q) / 2 and (1 + z q (1 + q^2)) / 2. Each operation is rounded
/// exactly, so that a number does not depend on where in a vector it stands.
Activated activated(const Tensor& z) {
  const Tensor q = z.square().add_(1.0).rsqrt_();
  const Tensor s = z * q;
  return {(s + 1.0).mul_(z).mul_(0.5), q.square().add_(1.0).mul_(s).add_(1.0).mul_(0.5)};
}

Tensor column_sums(const Tensor& rows) { return at::mm(at::ones({1, rows.size(0)}, rows.options()), rows).squeeze(0); }

const LocalForceSpec& checked(const LocalForceSpec& spec) {
  if (spec.hidden < 1) throw InputError(fmt::format("learned force: hidden must be at least 1, not {}", spec.hidden));
  if (!(spec.length > 0)) throw InputError(fmt::format("learned force: length must be positive, not {}", spec.length));
  return spec;
}

}  // namespace

LocalForce::LocalForce(const crystal::Crystal& crystal, const LocalForceSpec& spec) : spec_(checked(spec)) {
  const std::int64_t k = spec_.neighbours;
  const AtomGraph graph = make_atom_graph(crystal, sites_of(crystal), Neighbourhood::of_the_sites, k);
  const std::vector<View> views = views_of(unit_of(crystal));
  basis_ = std::ssize(views);
  std::vector<std::int64_t> network_of_basis;
  std::vector<std::vector<std::int64_t>> orders;
  const double* offsets = graph.of_sites.offsets.data_ptr<double>();
  for (std::int64_t b = 0; b < basis_; ++b) {
    const View& view = views[static_cast<std::size_t>(b)];
    network_of_basis.push_back(view.first == b ? networks_++ : network_of_basis[static_cast<std::size_t>(view.first)]);
    rotations_.push_back(view.rotation);
    orders.push_back(order_of(offsets + 3 * k * view.first, offsets + 3 * k * b, view.rotation, k));
  }
  sites_.resize(static_cast<std::size_t>(networks_));
  const std::int64_t* senders = graph.of_sites.senders.data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < graph.particles(); ++i) {
    const auto b = static_cast<std::size_t>(i % basis_);
    network_of_.push_back(network_of_basis[b]);
    sites_[static_cast<std::size_t>(network_of_.back())].push_back(i);
    for (const std::int64_t t : orders[b]) senders_.push_back(senders[i * k + t]);
  }
  const std::int64_t h = spec_.hidden;
  const auto normal = [](double variance) { return Start{Start::Kind::truncated_normal, std::sqrt(variance)}; };
  for (std::int64_t n = 0; n < networks_; ++n) {
    const std::string prefix = fmt::format("site_{}.", n);
    layout_.add(prefix + "first.weight", {h, 3 * k}, normal(1.0 / static_cast<double>(3 * k)));
    layout_.add(prefix + "first.bias", {h});
    layout_.add(prefix + "second.weight", {h, h}, normal(2.0 / static_cast<double>(h)));
    layout_.add(prefix + "second.bias", {h});
    layout_.add(prefix + "out.weight", {3, h});
    layout_.add(prefix + "linear.weight", {3, 3 * k});
  }
}

std::vector<LocalForce::Network> LocalForce::networks(const Tensor& parameters) const {
  std::vector<Network> result;
  for (std::size_t n = 0; n < static_cast<std::size_t>(networks_); ++n) {
    const auto piece = [&](std::size_t p) {
      return layout_.view(parameters, kParametersOfNetwork * n + p).detach().to(spec_.precision).contiguous();
    };
    result.push_back({piece(0), piece(1), piece(2), piece(3), piece(4), piece(5)});
  }
  return result;
}

Tensor LocalForce::seen(std::size_t network, const Tensor& u) const {
  const std::vector<std::int64_t>& sites = sites_[network];
  const std::int64_t k = spec_.neighbours, n = particles();
  Tensor rows = at::empty({u.size(0) * std::ssize(sites), 3 * k}, at::kDouble);
  double* to = rows.data_ptr<double>();
  const double per_length = 1.0 / spec_.length;
  for (std::int64_t r = 0; r < u.size(0); ++r) {
    const double* field = u.data_ptr<double>() + 3 * n * r;
    for (const std::int64_t i : sites) {
      for (std::int64_t s = 0; s < k; ++s, to += 3) {
        const double* there = field + 3 * senders_[static_cast<std::size_t>(i * k + s)];
        const double apart[3] = {(there[0] - field[3 * i]) * per_length, (there[1] - field[3 * i + 1]) * per_length,
                                 (there[2] - field[3 * i + 2]) * per_length};
        rotate<true>(rotation(i), apart, to);
      }
    }
  }
  return rows.to(spec_.precision);
}

/// What vectors of the sites are to the network. @param rows [B, N, 3]
Tensor LocalForce::rotated(std::size_t network, const Tensor& rows, std::int64_t fields) const {
  const std::vector<std::int64_t>& sites = sites_[network];
  Tensor result = at::empty({fields * std::ssize(sites), 3}, at::kDouble);
  double* to = result.data_ptr<double>();
  for (std::int64_t r = 0; r < fields; ++r) {
    const double* field = rows.data_ptr<double>() + 3 * particles() * r;
    for (const std::int64_t i : sites) {
      rotate<true>(rotation(i), field + 3 * i, to);
      to += 3;
    }
  }
  return result.mul_(1.0 / spec_.length).to(spec_.precision);
}

LocalForce::Pass::Pass(const LocalForce& force, const std::vector<Network>& networks, const Tensor& u)
    : force_(force), networks_(networks), fields_(u.size(0)) {
  if (u.dim() != 3 || u.size(1) != force.particles() || u.size(2) != 3 || !u.is_contiguous())
    throw ShapeError(fmt::format("learned force: a field must be [B, {}, 3]", force.particles()));
  for (std::size_t n = 0; n < networks.size(); ++n) {
    const Network& net = networks[n];
    const Tensor x = force.seen(n, u);
    const Activated first = activated(at::addmm(net.first_bias, x, net.first.t()));
    const Activated second = activated(at::addmm(net.second_bias, first.value, net.second.t()));
    layers_.push_back({x, first.value, first.slope, second.value, second.slope});
  }
}

Tensor LocalForce::Pass::force() const {
  const std::int64_t particles = force_.particles();
  Tensor result = at::empty({fields_, particles, 3}, at::kDouble);
  for (std::size_t n = 0; n < networks_.size(); ++n) {
    const Tensor local = at::addmm(at::mm(layers_[n].x, networks_[n].linear.t()), layers_[n].second, networks_[n].out.t());
    const Tensor rows = local.to(at::kDouble).mul_(1.0 / force_.spec_.length).contiguous();
    const double* from = rows.data_ptr<double>();
    for (std::int64_t r = 0; r < fields_; ++r) {
      double* field = result.data_ptr<double>() + 3 * particles * r;
      for (const std::int64_t i : force_.sites_[n]) {
        rotate<false>(force_.rotation(i), from, field + 3 * i);
        from += 3;
      }
    }
  }
  return result;
}

LocalForce::Pass::Bars LocalForce::Pass::bars(std::size_t n, const Tensor& w) const {
  const Tensor out = force_.rotated(n, w, fields_);
  const Tensor second = at::mm(out, networks_[n].out).mul_(layers_[n].second_slope);
  return {out, second, at::mm(second, networks_[n].second).mul_(layers_[n].first_slope)};
}

Tensor LocalForce::Pass::turned_back(const Tensor& w) const {
  const std::int64_t particles = force_.particles(), k = force_.spec_.neighbours;
  const Tensor given = w.contiguous();
  Tensor result = at::zeros({fields_, particles, 3}, at::kDouble);
  for (std::size_t n = 0; n < networks_.size(); ++n) {
    const Bars bar = bars(n, given);
    const Tensor x = at::addmm(at::mm(bar.out, networks_[n].linear), bar.first, networks_[n].first);
    const Tensor rows = x.to(at::kDouble).mul_(1.0 / force_.spec_.length).contiguous();
    const double* from = rows.data_ptr<double>();
    for (std::int64_t r = 0; r < fields_; ++r) {
      double* field = result.data_ptr<double>() + 3 * particles * r;
      for (const std::int64_t i : force_.sites_[n]) {
        for (std::int64_t s = 0; s < k; ++s, from += 3) {
          double apart[3];
          rotate<false>(force_.rotation(i), from, apart);
          double* there = field + 3 * force_.senders_[static_cast<std::size_t>(i * k + s)];
          for (int d = 0; d < 3; ++d) {
            there[d] += apart[d];
            field[3 * i + d] -= apart[d];
          }
        }
      }
    }
  }
  return result;
}

void LocalForce::Pass::add_gradient(const Tensor& w, Tensor& gradient) const {
  const Tensor given = w.contiguous();
  for (std::size_t n = 0; n < networks_.size(); ++n) {
    const Bars bar = bars(n, given);
    const auto add = [&](std::size_t p, const Tensor& part) { force_.layout_.view(gradient, kParametersOfNetwork * n + p).add_(part); };
    add(0, at::mm(bar.first.t(), layers_[n].x));
    add(1, column_sums(bar.first));
    add(2, at::mm(bar.second.t(), layers_[n].first));
    add(3, column_sums(bar.second));
    add(4, at::mm(bar.out.t(), layers_[n].second));
    add(5, at::mm(bar.out.t(), layers_[n].x));
  }
}

}  // namespace bgw::flows
