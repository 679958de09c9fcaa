// The kernels, written once. A variant source defines BGW_VARIANT (a namespace) and includes this file; each is
// compiled for its processor family. The formulas are those of method.md 1.2 and 1.4.
//
// Alternatives set aside: a triplet loop (four times slower at 16 neighbours), Newton's third law for the three-body
// part (its pair quantities are cheap beside the traffic of storing them), float32 energies (free energies want 1e-5 kT).
// With BGW_SINGLE the gradients are compiled once more in float32, for forces that need not be exact.

#include <type_traits>

#include "runtime/physics/kernels/kernel_table.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace bgw::physics::kernels {
namespace BGW_VARIANT {
namespace {

#include "runtime/physics/kernels/lanes.h"

using Block = kernels::BlockOf<Number>;
using NeighbourView = kernels::NeighbourViewOf<Number>;
constexpr bool kSingle = sizeof(Number) == 4;

template <class S>
struct Vector {
  S x, y, z;
};

template <class S>
BGW_INLINE S dot(const Vector<S>& a, const Vector<S>& b) {
  return a.x * b.x + a.y * b.y + a.z * b.z;
}

/// Reads displacement (and tangent) of one atom.
template <class S>
struct Reader;

template <>
struct Reader<Lanes> {
  const Number* value;
  Lanes at(std::int64_t c) const { return load(value + c * kLanes); }
};

template <>
struct Reader<Dual> {
  const Number* value;
  const Number* slope;
  Dual at(std::int64_t c) const { return {load(value + c * kLanes), load(slope + c * kLanes)}; }
};

BGW_INLINE Reader<Lanes> reader(const Block& b, Lanes*) { return {b.displacement}; }
BGW_INLINE Reader<Dual> reader(const Block& b, Dual*) { return {b.displacement, b.tangent}; }

template <class S>
BGW_INLINE Vector<S> atom(const Reader<S>& u, std::int64_t i) {
  return {u.at(3 * i), u.at(3 * i + 1), u.at(3 * i + 2)};
}

BGW_INLINE void add(Number* p, Lanes x) { store(p, load(p) + x); }

/// Adds a gradient (and its directional derivative) to one coordinate.
BGW_INLINE void accumulate(const Block& b, std::int64_t c, Lanes g) { add(b.gradient + c * kLanes, g); }
BGW_INLINE void accumulate(const Block& b, std::int64_t c, Dual g) {
  add(b.gradient + c * kLanes, g.value);
  add(b.product + c * kLanes, g.slope);
}
template <class S>
BGW_INLINE void accumulate(const Block& b, std::int64_t i, const Vector<S>& g) {
  accumulate(b, 3 * i, g.x);
  accumulate(b, 3 * i + 1, g.y);
  accumulate(b, 3 * i + 2, g.z);
}

/// What a separation of the list becomes in the cell: itself ...
struct Undeformed {
  static constexpr bool kStrained = false;
  BGW_INLINE_MEMBER Undeformed(const NeighbourView&, const Block&) {}
  template <class S>
  BGW_INLINE_MEMBER Vector<S> operator()(const Vector<S>& d) const {
    return d;
  }
};

/// ... or F times itself ...
struct Deformed {
  static constexpr bool kStrained = true;
  const Number* f;
  BGW_INLINE_MEMBER Deformed(const NeighbourView&, const Block& b) : f(b.deformation) {}
  BGW_INLINE_MEMBER Lanes at(int row, int column) const { return load(f + (3 * row + column) * kLanes); }
  BGW_INLINE_MEMBER Vector<Lanes> operator()(const Vector<Lanes>& d) const {
    return {at(0, 0) * d.x + at(0, 1) * d.y + at(0, 2) * d.z, at(1, 0) * d.x + at(1, 1) * d.y + at(1, 2) * d.z,
            at(2, 0) * d.x + at(2, 1) * d.y + at(2, 2) * d.z};
  }
  BGW_INLINE_MEMBER Vector<Lanes> transposed(const Vector<Lanes>& g) const {
    return {at(0, 0) * g.x + at(1, 0) * g.y + at(2, 0) * g.z, at(0, 1) * g.x + at(1, 1) * g.y + at(2, 1) * g.z,
            at(0, 2) * g.x + at(1, 2) * g.y + at(2, 2) * g.z};
  }
};

BGW_INLINE Vector<Lanes> values_of(const Vector<Lanes>& d) { return d; }
BGW_INLINE Vector<Lanes> values_of(const Vector<Dual>& d) { return {d.x.value, d.y.value, d.z.value}; }
BGW_INLINE Vector<Lanes> with_values(const Vector<Lanes>&, const Vector<Lanes>& values) { return values; }
BGW_INLINE Vector<Dual> with_values(const Vector<Dual>& d, const Vector<Lanes>& values) {
  return {{values.x, d.x.slope}, {values.y, d.y.slope}, {values.z, d.z.slope}};
}

/// ... or its nearest image.
struct Nearest {
  static constexpr bool kStrained = true;
  const NearestImages& images;
  BGW_INLINE_MEMBER Nearest(const NeighbourView& list, const Block&) : images(*list.nearest) {}
  explicit Nearest(const NeighbourView& list) : images(*list.nearest) {}
  template <class S>
  Vector<S> operator()(const Vector<S>& d) const {
    const Vector<Lanes> x = rounded(values_of(d));
    return with_values(d, images.orthorhombic ? x : nearest_around(x));
  }

 private:
  BGW_INLINE_MEMBER Vector<Lanes> shifted(const Vector<Lanes>& d, Lanes a, Lanes b, Lanes c) const {
    const double* h = images.cell;
    return {d.x - a * splat(h[0]) - b * splat(h[3]) - c * splat(h[6]), d.y - a * splat(h[1]) - b * splat(h[4]) - c * splat(h[7]),
            d.z - a * splat(h[2]) - b * splat(h[5]) - c * splat(h[8])};
  }
  BGW_INLINE_MEMBER Lanes fractional(const Vector<Lanes>& d, int k) const {
    const double* g = images.reciprocal + 3 * k;
    return d.x * splat(g[0]) + d.y * splat(g[1]) + d.z * splat(g[2]);
  }
  Vector<Lanes> rounded(const Vector<Lanes>& d) const {
    return shifted(d, round_to_integer(fractional(d, 0)), round_to_integer(fractional(d, 1)), round_to_integer(fractional(d, 2)));
  }
  Vector<Lanes> nearest_around(const Vector<Lanes>& d) const {
    Vector<Lanes> best = d;
    Lanes least = dot(d, d);
    for (int image = 0; image < 27; ++image) {
      const Vector<Lanes> other = shifted(d, splat(image / 9 - 1), splat(image / 3 % 3 - 1), splat(image % 3 - 1));
      const Lanes square = dot(other, other);
      const Mask nearer = below(square, least);
      best = {select(nearer, other.x, best.x), select(nearer, other.y, best.y), select(nearer, other.z, best.z)};
      least = select(nearer, square, least);
    }
    return best;
  }
};

/// Outside of the quick loops, whichever applies.
template <class S>
Vector<S> placed(const NeighbourView& list, const Vector<S>& d) {
  return list.nearest != nullptr ? Nearest(list)(d) : d;
}

/// The sum over bonds of gradient times separation, upper triangle.
struct Strain {
  Lanes xx, yy, zz, xy, xz, yz;
};
BGW_INLINE Strain no_strain() {
  const Lanes o = splat(0.0);
  return {o, o, o, o, o, o};
}
BGW_INLINE void add_bond(Strain& s, const Vector<Lanes>& g, const Vector<Lanes>& d) {
  s.xx += g.x * d.x;
  s.yy += g.y * d.y;
  s.zz += g.z * d.z;
  s.xy += g.x * d.y;
  s.xz += g.x * d.z;
  s.yz += g.y * d.z;
}

BGW_INLINE void keep_strain(const Block& block, const Strain& s) {
  if (block.strain == nullptr) return;
  const Lanes sums[6] = {s.xx, s.yy, s.zz, s.xy, s.xz, s.yz};
  for (int c = 0; c < 6; ++c) add(block.strain + c * kLanes, sums[c]);
}

/// The gradient in the deformed cell becomes that in the displacements: F^T g.
BGW_INLINE void pull_back(const NeighbourView&, const Block&, const Undeformed&) {}
BGW_INLINE void pull_back(const NeighbourView&, const Block&, const Nearest&) {}
BGW_INLINE void pull_back(const NeighbourView& list, const Block& block, const Deformed& frame) {
  for (std::int64_t i = 0; i < list.atoms; ++i) {
    Number* g = block.gradient + 3 * i * kLanes;
    const Vector<Lanes> t = frame.transposed({load(g), load(g + kLanes), load(g + 2 * kLanes)});
    store(g, t.x);
    store(g + kLanes, t.y);
    store(g + 2 * kLanes, t.z);
  }
}

/// Calls work(scalar, with gradient, frame) with the types that a block asks for. Nearest images come undeformed.
template <class Work>
BGW_INLINE void dispatch(const NeighbourView& list, const Block& block, Work work) {
  const Undeformed undeformed(list, block);
  if constexpr (kSingle) {
    if (list.nearest != nullptr) {
      const Nearest nearest(list, block);
      if (block.tangent != nullptr) work.template operator()<Dual, true>(nearest);
      else work.template operator()<Lanes, true>(nearest);
    } else if (block.tangent != nullptr) {
      work.template operator()<Dual, true>(undeformed);
    } else {
      work.template operator()<Lanes, true>(undeformed);
    }
  } else if (list.nearest != nullptr) {
    const Nearest nearest(list, block);
    if (block.tangent != nullptr) work.template operator()<Dual, true>(nearest);
    else if (block.gradient != nullptr) work.template operator()<Lanes, true>(nearest);
    else work.template operator()<Lanes, false>(nearest);
  } else if (block.deformation != nullptr) {
    const Deformed deformed(list, block);
    if (block.gradient != nullptr) work.template operator()<Lanes, true>(deformed);
    else work.template operator()<Lanes, false>(deformed);
  } else if (block.tangent != nullptr) {
    work.template operator()<Dual, true>(undeformed);
  } else if (block.gradient != nullptr) {
    work.template operator()<Lanes, true>(undeformed);
  } else {
    work.template operator()<Lanes, false>(undeformed);
  }
}

/// Separation of the atom of entry e from atom i, in the list.
template <class S>
BGW_INLINE Vector<S> separation(const NeighbourView& list, const Reader<S>& u, const Vector<S>& ui, std::int64_t e) {
  const std::int64_t j = list.index[e];
  const Number* o = list.offset + 3 * e;
  return {u.at(3 * j) - ui.x + splat(o[0]), u.at(3 * j + 1) - ui.y + splat(o[1]), u.at(3 * j + 2) - ui.z + splat(o[2])};
}

/// The tangent of a linearised pair energy in place of it, where r is below. `slope` is dU/dr.
template <class Potential, class S>
BGW_INLINE void linearize(const Potential& k, const S& r, S& energy, S& slope) {
  if (k.linear_below == 0.0) return;
  const Mask linear = below(value_of(r), splat(k.linear_below));
  const Mask constant = below(value_of(r), splat(kLinearFrom));
  const S clipped = select(constant, zero<S>() + splat(kLinearFrom), r);
  const S line = (clipped - splat(k.linear_below)) * splat(k.linear_slope) + splat(k.linear_value);
  energy = select(linear, line, energy);
  slope = select(linear, select(constant, zero<S>(), zero<S>() + splat(k.linear_slope)), slope);
}

// ---------------------------------------------------------------------------------------------- Stillinger-Weber

/// One bond of a centre that is inside the cutoff in at least one lane; zero strength in the other lanes. Until
/// `finish_bond` n is the separation, and `inverse` its square.
template <class S>
struct Bond {
  Vector<S> n;  // unit vector
  S inverse;    // 1 / r
  S h, dh;      // exp(gamma sigma / (r - a sigma)) and its derivative
  S dpair;      // derivative of the pair energy, where this entry owns the pair
};

/// T = sum h n n, v = sum h n, s = sum h, hh = sum h^2.
template <class S>
struct Moments {
  S xx, yy, zz, xy, xz, yz;
  Vector<S> v;
  S s, hh;
};

template <class S>
BGW_INLINE Moments<S> no_moments() {
  const S o = zero<S>();
  return {o, o, o, o, o, o, {o, o, o}, o, o};
}

/// How far a potential reaches. In float32 decays end where their exponent is -25, 1e-11 of their strength: numbers so small
/// that their squares have lost digits would take a hundred times as long.
BGW_INLINE double reach(const LennardJones& k) { return k.cutoff; }
BGW_INLINE double reach(const StillingerWeber& k) {
  return kSingle ? k.cutoff - 0.04 * (k.gamma_sigma < k.sigma ? k.gamma_sigma : k.sigma) : k.cutoff;
}

/// Which lanes are within the cutoff; not-a-number counts as within.
template <class Potential>
BGW_INLINE Mask within_cutoff(const Potential& k, Lanes r2) {
  return inverse(below(splat(reach(k) * reach(k)), r2));
}

/// The constants of the 1985 form leave both decays powers of one: exp(6x/5) and exp(x).
BGW_INLINE bool has_usual_powers(const StillingerWeber& k) {
  return k.p == 4 && k.q == 0 && k.gamma_sigma == 1.2 * k.sigma && k.linear_below == 0.0;
}

/// The pair energy of the bond at w = 1 / (r - a sigma), and its derivative in r.
template <class S>
BGW_INLINE S pair_energy(const StillingerWeber& k, const S& r, const S& inverse, const S& w, const S& decay, S& slope) {
  const S x = inverse * splat(k.sigma);
  const S repulsion = integer_power(x, k.p) * splat(k.B);
  const S attraction = integer_power(x, k.q);
  S phi = (repulsion - attraction) * decay;
  slope = (attraction * splat(static_cast<double>(k.q)) - repulsion * splat(static_cast<double>(k.p))) * inverse * decay -
          phi * (w * w) * splat(k.sigma);
  linearize(k, r, phi, slope);
  return phi;
}

template <bool kOwned, bool kUsual, class S>
BGW_INLINE void finish_bond(const StillingerWeber& k, Bond<S>& bond, S& energy) {
  const S r2 = bond.inverse;
  const Mask inside = within_cutoff(k, value_of(r2));
  const S safe = select(inside, r2, splat(0.25 * k.cutoff * k.cutoff));
  bond.inverse = reciprocal_root(safe);
  const S r = safe * bond.inverse;
  bond.n = {bond.n.x * bond.inverse, bond.n.y * bond.inverse, bond.n.z * bond.inverse};
  // At r equal to the cutoff after rounding the exponent would be -inf and its derivative not a number.
  constexpr double kGap = kSingle ? 1e-6 : 1e-12;
  const S gap = r - splat(k.cutoff);
  const S w = reciprocal(select(below(value_of(gap), splat(-kGap * k.cutoff)), gap, splat(-kGap * k.cutoff)));
  if constexpr (!kOwned) {
    bond.h = select(inside, exponential(w * splat(k.gamma_sigma)), splat(0.0));
  } else if constexpr (kUsual) {
    const S t = select(inside, exponential(w * splat(0.2 * k.sigma)), splat(0.0));
    const S t2 = t * t;
    const S t4 = t2 * t2;
    bond.h = t4 * t2;
    const S decay = t4 * t * splat(k.pair_strength);
    const S x = bond.inverse * splat(k.sigma);
    const S x2 = x * x;
    const S repulsion = x2 * x2 * splat(k.B);
    const S phi = (repulsion - splat(1.0)) * decay;
    energy += phi;
    bond.dpair = repulsion * bond.inverse * decay * splat(-4.0) - phi * (w * w) * splat(k.sigma);
  } else {
    bond.h = select(inside, exponential(w * splat(k.gamma_sigma)), splat(0.0));
    const S decay = select(inside, exponential(w * splat(k.sigma)), splat(0.0)) * splat(k.pair_strength);
    const S phi = pair_energy(k, r, bond.inverse, w, decay, bond.dpair);
    energy += select(inside, phi, splat(0.0));
    bond.dpair = select(inside, bond.dpair, splat(0.0));
  }
  bond.dh = bond.h * (w * w) * splat(-k.gamma_sigma);
}

/// The bond at separation d; returns false when no lane is within the cutoff.
template <class S>
BGW_INLINE bool make_bond(const StillingerWeber& k, const Vector<S>& d, bool owned, Bond<S>& bond) {
  bond.n = d;
  bond.inverse = dot(d, d);
  bond.dpair = zero<S>();
  if (!any(within_cutoff(k, value_of(bond.inverse)))) return false;
  S energy = zero<S>();
  if (owned) finish_bond<true, false>(k, bond, energy);
  else finish_bond<false, false>(k, bond, energy);
  return true;
}

template <class S>
BGW_INLINE void add_moments(Moments<S>& m, const Bond<S>& b) {
  const Vector<S> hn{b.h * b.n.x, b.h * b.n.y, b.h * b.n.z};
  m.xx += hn.x * b.n.x;
  m.yy += hn.y * b.n.y;
  m.zz += hn.z * b.n.z;
  m.xy += hn.x * b.n.y;
  m.xz += hn.x * b.n.z;
  m.yz += hn.y * b.n.z;
  m.v.x += hn.x;
  m.v.y += hn.y;
  m.v.z += hn.z;
  m.s += b.h;
  m.hh += b.h * b.h;
}

/// (lambda epsilon / 2) [T:T - 2 c0 v.v + c0^2 s^2 - (1 - c0)^2 sum h^2]
template <class S>
BGW_INLINE S triplet_energy(const StillingerWeber& k, const Moments<S>& m) {
  const S tt = m.xx * m.xx + m.yy * m.yy + m.zz * m.zz + (m.xy * m.xy + m.xz * m.xz + m.yz * m.yz) * splat(2.0);
  const S sum = tt - dot(m.v, m.v) * splat(2.0 * k.cos0) + m.s * m.s * splat(k.cos0 * k.cos0) -
                m.hh * splat((1.0 - k.cos0) * (1.0 - k.cos0));
  return sum * splat(0.5 * k.triplet_strength);
}

/// Derivative of the centre's energy with respect to the separation of one bond.
template <bool kOwned, class S>
BGW_INLINE Vector<S> bond_gradient(const StillingerWeber& k, const Moments<S>& m, const Bond<S>& b) {
  const Lanes c0 = splat(k.cos0);
  const Vector<S> a{m.xx * b.n.x + m.xy * b.n.y + m.xz * b.n.z - m.v.x * c0,
                    m.xy * b.n.x + m.yy * b.n.y + m.yz * b.n.z - m.v.y * c0,
                    m.xz * b.n.x + m.yz * b.n.y + m.zz * b.n.z - m.v.z * c0};
  const S an = dot(a, b.n);
  const S bracket =
      an - dot(m.v, b.n) * c0 + m.s * splat(k.cos0 * k.cos0) - b.h * splat((1.0 - k.cos0) * (1.0 - k.cos0));
  const S across = b.h * b.inverse * splat(2.0 * k.triplet_strength);
  S along = b.dh * bracket * splat(k.triplet_strength) - across * an;
  if constexpr (kOwned) along += b.dpair;
  return {b.n.x * along + a.x * across, b.n.y * along + a.y * across, b.n.z * along + a.z * across};
}

/// The bonds of one centre: first those that are owned elsewhere, then its own.
template <class S>
struct Star {
  Bond<S>* bonds;
  std::int64_t* entries;
  std::int64_t owned, count;
};

// Every entry is written and the count goes on where it stays: a branch would be guessed wrong again and again.
template <class S, class Frame>
BGW_INLINE void find_bonds(const NeighbourView& list, const StillingerWeber& k, const Reader<S>& u, const Frame& frame,
                           std::int64_t i, Star<S>& star) {
  const Vector<S> ui = atom(u, i);
  const std::int64_t stops[2] = {list.owned[i], list.begin[i + 1]};
  std::int64_t e = list.begin[i];
  star.count = 0;
  for (int part = 0; part < 2; ++part) {
    star.owned = star.count;
    for (; e < stops[part]; ++e) {
      Bond<S>& bond = star.bonds[star.count];
      bond.n = frame(separation(list, u, ui, e));
      bond.inverse = dot(bond.n, bond.n);
      star.entries[star.count] = e;
      star.count += any(within_cutoff(k, value_of(bond.inverse))) ? 1 : 0;
    }
  }
}

template <bool kOwned, class S, class Frame>
BGW_INLINE void add_bond_gradients(const NeighbourView& list, const StillingerWeber& k, const Block& block, const Reader<S>& u,
                                   const Frame& frame, std::int64_t i, const Star<S>& star, const Moments<S>& m, Vector<S>& own,
                                   [[maybe_unused]] Strain& strain) {
  const std::int64_t stop = kOwned ? star.count : star.owned;
  for (std::int64_t b = kOwned ? star.owned : 0; b < stop; ++b) {
    const std::int64_t e = star.entries[b];
    const Vector<S> g = bond_gradient<kOwned>(k, m, star.bonds[b]);
    accumulate(block, list.index[e], g);
    own = {own.x - g.x, own.y - g.y, own.z - g.z};
    if constexpr (Frame::kStrained && std::is_same_v<S, Lanes>) add_bond(strain, g, frame(separation(list, u, atom(u, i), e)));
  }
}

template <class S, bool kGradient, bool kUsual, class Frame>
BGW_INLINE void stillinger_weber_block(const NeighbourView& list, const StillingerWeber& k, const Block& block, const Frame& frame) {
  const Reader<S> u = reader(block, static_cast<S*>(nullptr));
  Bond<S>* bonds = reinterpret_cast<Bond<S>*>(block.scratch);
  Star<S> star{bonds, reinterpret_cast<std::int64_t*>(bonds + list.widest_row + 1), 0, 0};
  Strain strain = no_strain();
  Lanes energy = splat(0.0);
  for (std::int64_t i = 0; i < list.atoms; ++i) {
    find_bonds(list, k, u, frame, i, star);
    S centre_energy = zero<S>();
    for (std::int64_t b = 0; b < star.owned; ++b) finish_bond<false, kUsual>(k, bonds[b], centre_energy);
    for (std::int64_t b = star.owned; b < star.count; ++b) finish_bond<true, kUsual>(k, bonds[b], centre_energy);
    Moments<S> m = no_moments<S>();
    for (std::int64_t b = 0; b < star.count; ++b) add_moments(m, bonds[b]);
    energy += value_of(centre_energy + triplet_energy(k, m));
    if (!kGradient) continue;
    Vector<S> own{zero<S>(), zero<S>(), zero<S>()};
    add_bond_gradients<false>(list, k, block, u, frame, i, star, m, own, strain);
    add_bond_gradients<true>(list, k, block, u, frame, i, star, m, own, strain);
    accumulate(block, i, own);
  }
  if constexpr (kGradient) pull_back(list, block, frame);
  if constexpr (kGradient && Frame::kStrained) keep_strain(block, strain);
  if constexpr (!kSingle) store(block.energy, energy);
}

// Only the quick loops are worth a second copy for the usual powers. In float32 products have it as well, so that the
// gradient that comes with one has the bits of that which comes alone.
void stillinger_weber(const NeighbourView& list, const StillingerWeber& k, const Block& block) {
  const bool usual = has_usual_powers(k);
  dispatch(list, block, [&]<class S, bool kGradient, class Frame>(const Frame& frame) {
    constexpr bool kQuick = (kSingle || std::is_same_v<S, Lanes>) && !std::is_same_v<Frame, Nearest>;
    if (kQuick && usual) stillinger_weber_block<S, kGradient, kQuick>(list, k, block, frame);
    else stillinger_weber_block<S, kGradient, false>(list, k, block, frame);
  });
}

#if !BGW_SINGLE
/// Derivative of one bond's moments with respect to its separation: rows xx yy zz xy xz yz vx vy vz s.
BGW_INLINE void moment_jacobian(const Bond<Lanes>& b, Lanes (&rows)[10][3]) {
  const Lanes n[3] = {b.n.x, b.n.y, b.n.z};
  const Lanes t = b.h * b.inverse;
  const Lanes steep = b.dh - splat(2.0) * t;
  const int first[6] = {0, 1, 2, 0, 0, 1};
  const int second[6] = {0, 1, 2, 1, 2, 2};
  for (int m = 0; m < 6; ++m) {
    const int a = first[m];
    const int c = second[m];
    const Lanes nn = n[a] * n[c] * steep;
    for (int d = 0; d < 3; ++d) rows[m][d] = nn * n[d];
    rows[m][a] = rows[m][a] + t * n[c];
    rows[m][c] = rows[m][c] + t * n[a];
  }
  for (int a = 0; a < 3; ++a) {
    for (int d = 0; d < 3; ++d) rows[6 + a][d] = (b.dh - t) * n[a] * n[d];
    rows[6 + a][a] = rows[6 + a][a] + t;
    rows[9][a] = b.dh * n[a];
  }
}

/// Derivative of bond_gradient with the moments held fixed, weighted and added to a 3x3 block.
BGW_INLINE void add_bond_curvature(const StillingerWeber& k, const Moments<Lanes>& m, const Vector<Lanes>& d,
                                   bool owned, Lanes weight, double* block) {
  const Lanes o = splat(0.0);
  const Lanes l = splat(1.0);
  const Moments<Dual> fixed{
      {m.xx, o}, {m.yy, o}, {m.zz, o}, {m.xy, o}, {m.xz, o}, {m.yz, o}, {{m.v.x, o}, {m.v.y, o}, {m.v.z, o}},
      {m.s, o},  {m.hh, o}};
  for (int direction = 0; direction < 3; ++direction) {
    const Vector<Dual> dd{{d.x, direction == 0 ? l : o}, {d.y, direction == 1 ? l : o}, {d.z, direction == 2 ? l : o}};
    Bond<Dual> bond;
    if (!make_bond(k, dd, owned, bond)) return;
    const Vector<Dual> g = bond_gradient<true>(k, fixed, bond);
    add(block + (0 + direction) * kLanes, weight * g.x.slope);
    add(block + (3 + direction) * kLanes, weight * g.y.slope);
    add(block + (6 + direction) * kLanes, weight * g.z.slope);
  }
}

BGW_INLINE double sum_of_lanes(const double* p) {
  return ((p[0] + p[1]) + (p[2] + p[3])) + ((p[4] + p[5]) + (p[6] + p[7]));
}

struct HessianBond {
  Lanes jacobian[10][3];
  Lanes weighted[10][3];  // metric times Jacobian times lane weight
  Vector<Lanes> separation;
  std::int64_t slot;
};

/// E'' of the centre in its moments is constant: lambda epsilon (T: 1, off-diagonal 2; v: -2 c0; s: c0^2). So the
/// block of bonds a, b is J_a^T D J_b, and a bond with itself gets its curvature at fixed moments on top.
void stillinger_weber_hessian(const NeighbourView& list, const StillingerWeber& k, const CentreBlocks& centre) {
  const std::int64_t first = list.begin[centre.centre];
  const std::int64_t row = list.begin[centre.centre + 1] - first;
  const double c0 = k.cos0;
  const double metric[10] = {1, 1, 1, 2, 2, 2, -2 * c0, -2 * c0, -2 * c0, c0 * c0};
  HessianBond* bonds = reinterpret_cast<HessianBond*>(centre.scratch);
  double* sums = centre.scratch + (row + 1) * 80 * kLanes;  // [row][row][9][kLanes]
  for (std::int64_t x = 0; x < row * row * 9 * kLanes; ++x) sums[x] = 0.0;

  for (std::int64_t g = 0; g < centre.blocks; ++g) {
    const Reader<Lanes> u{centre.displacement + g * 3 * list.atoms * kLanes};
    const Lanes weight = load(centre.lane_weight + g * kLanes);
    const Vector<Lanes> ui = atom(u, centre.centre);
    Moments<Lanes> m = no_moments<Lanes>();
    std::int64_t count = 0;
    for (std::int64_t slot = 0; slot < row; ++slot) {
      const Vector<Lanes> d = placed(list, separation(list, u, ui, first + slot));
      Bond<Lanes> bond;
      if (!make_bond(k, d, false, bond)) continue;
      add_moments(m, bond);
      HessianBond& kept = bonds[count++];
      moment_jacobian(bond, kept.jacobian);
      for (int q = 0; q < 10; ++q) {
        for (int c = 0; c < 3; ++c)
          kept.weighted[q][c] = kept.jacobian[q][c] * (weight * splat(metric[q] * k.triplet_strength));
      }
      kept.separation = d;
      kept.slot = slot;
    }
    for (std::int64_t a = 0; a < count; ++a) {
      for (std::int64_t b = a; b < count; ++b) {
        double* block = sums + (bonds[a].slot * row + bonds[b].slot) * 9 * kLanes;
        for (int c = 0; c < 3; ++c) {
          for (int d = 0; d < 3; ++d) {
            Lanes sum = bonds[a].weighted[0][c] * bonds[b].jacobian[0][d];
            for (int q = 1; q < 10; ++q) sum += bonds[a].weighted[q][c] * bonds[b].jacobian[q][d];
            add(block + (3 * c + d) * kLanes, sum);
          }
        }
      }
      const std::int64_t slot = bonds[a].slot;
      add_bond_curvature(k, m, bonds[a].separation, first + bonds[a].slot >= list.owned[centre.centre], weight,
                         sums + (slot * row + slot) * 9 * kLanes);
    }
  }
  for (std::int64_t x = 0; x < row * row * 9; ++x) centre.result[x] = sum_of_lanes(sums + x * kLanes);
}
#endif

// ------------------------------------------------------------------------------------------------- Lennard-Jones

/// 4 epsilon (sigma/r)^6 ((sigma/r)^6 - 1) - shift of a pair at squared distance r2 and (dU/dr)/r; zero in lanes outside.
template <class S>
BGW_INLINE void plain_pair(const LennardJones& k, const S& r2, Mask inside, S& energy, S& slope_over_r) {
  const S inverse2 = select(inside, reciprocal(select(inside, r2, splat(k.cutoff * k.cutoff))), splat(0.0));
  const S s2 = inverse2 * splat(k.sigma * k.sigma);
  const S s6 = s2 * s2 * s2;
  energy = s6 * (s6 * splat(4.0 * k.epsilon) - splat(4.0 * k.epsilon)) - select(inside, zero<S>() + splat(k.shift), splat(0.0));
  slope_over_r = s6 * (s6 * splat(-48.0 * k.epsilon) + splat(24.0 * k.epsilon)) * inverse2;
}

/// The quintic 1 - 10 x^3 + 15 x^4 - 6 x^5 takes energy and slope from `switch_from` to the cutoff.
template <class S>
BGW_INLINE void switch_off(const LennardJones& k, const S& r, S& energy, S& slope) {
  if (k.switch_from >= k.cutoff) return;
  const double width = k.cutoff - k.switch_from;
  const Mask on = below(splat(k.switch_from), value_of(r));
  const S x = select(on, (r - splat(k.switch_from)) * splat(1.0 / width), splat(0.0));
  const S x2 = x * x;
  const S rest = (x * splat(-6.0) + splat(15.0)) * x + splat(-10.0);
  const S factor = x2 * x * rest + splat(1.0);
  const S steep = x2 * ((x * splat(-30.0) + splat(60.0)) * x + splat(-30.0)) * splat(1.0 / width);
  slope = slope * factor + energy * steep;
  energy = energy * factor;
}

/// Every form: soft core, shifted or switched, linearised.
template <class S>
BGW_INLINE void any_pair(const LennardJones& k, const S& r2, Mask inside, S& energy, S& slope_over_r) {
  const S tiny = zero<S>() + splat(kSingle ? 1e-8 : 1e-30);  // angstrom^2; keeps the linearised form finite for atoms on one another
  const S safe = select(inside, r2, splat(k.cutoff * k.cutoff));
  const S square = k.linear_below > 0.0 ? select(below(value_of(safe), value_of(tiny)), tiny, safe) : safe;
  const S inverse_r = reciprocal_root(square);
  const S r = square * inverse_r;
  const S x2 = square * splat(1.0 / (k.sigma * k.sigma));
  const S x6 = x2 * x2 * x2;
  const S inverse_g = reciprocal(x6 + splat(k.softness));
  const double strength = 4.0 * k.coupling * k.epsilon;
  S u = inverse_g * (inverse_g - splat(1.0)) * splat(strength);
  S slope = inverse_g * inverse_g * (inverse_g * splat(-2.0) + splat(1.0)) * (x6 * inverse_r) * splat(6.0 * strength);
  switch_off(k, r, u, slope);
  u = u - splat(k.shift);
  linearize(k, r, u, slope);
  energy = select(inside, u, splat(0.0));
  slope_over_r = select(inside, slope * inverse_r, splat(0.0));
}

/// Returns false where no lane is within the cutoff.
template <bool kPlain, class S>
BGW_INLINE bool lennard_jones_pair(const LennardJones& k, const S& r2, S& energy, S& slope_over_r) {
  const Mask inside = within_cutoff(k, value_of(r2));
  if (!any(inside)) return false;
  if constexpr (kPlain) plain_pair(k, r2, inside, energy, slope_over_r);
  else any_pair(k, r2, inside, energy, slope_over_r);
  return true;
}

template <class S, bool kGradient, bool kPlain, class Frame>
BGW_INLINE void lennard_jones_block(const NeighbourView& list, const LennardJones& k, const Block& block, const Frame& frame) {
  const Reader<S> u = reader(block, static_cast<S*>(nullptr));
  Strain strain = no_strain();
  Lanes energy = splat(0.0);
  for (std::int64_t i = 0; i < list.atoms; ++i) {
    const Vector<S> ui = atom(u, i);
    Vector<S> own{zero<S>(), zero<S>(), zero<S>()};
    for (std::int64_t e = list.begin[i]; e < list.begin[i + 1]; ++e) {
      const Vector<S> d = frame(separation(list, u, ui, e));
      S pair = zero<S>();
      S slope = zero<S>();
      if (!lennard_jones_pair<kPlain>(k, dot(d, d), pair, slope)) continue;
      energy = energy + value_of(pair);
      if (!kGradient) continue;
      const Vector<S> g{d.x * slope, d.y * slope, d.z * slope};
      accumulate(block, list.index[e], g);
      own = {own.x - g.x, own.y - g.y, own.z - g.z};
      if constexpr (Frame::kStrained && std::is_same_v<S, Lanes>) add_bond(strain, g, d);
    }
    if (kGradient) accumulate(block, i, own);
  }
  if constexpr (kGradient) pull_back(list, block, frame);
  if constexpr (kGradient && Frame::kStrained) keep_strain(block, strain);
  if constexpr (!kSingle) store(block.energy, energy);
}

void lennard_jones(const NeighbourView& list, const LennardJones& k, const Block& block) {
  const bool plain = k.is_plain();
  dispatch(list, block, [&]<class S, bool kGradient, class Frame>(const Frame& frame) {
    if (plain) lennard_jones_block<S, kGradient, true>(list, k, block, frame);
    else lennard_jones_block<S, kGradient, false>(list, k, block, frame);
  });
}

#if !BGW_SINGLE
void lennard_jones_hessian(const NeighbourView& list, const LennardJones& k, const CentreBlocks& centre) {
  const std::int64_t first = list.begin[centre.centre];
  const std::int64_t row = list.begin[centre.centre + 1] - first;
  const Lanes one = splat(1.0);
  const Lanes none = splat(0.0);
  for (std::int64_t slot = 0; slot < row; ++slot) {
    Lanes sums[9] = {none, none, none, none, none, none, none, none, none};
    for (std::int64_t g = 0; g < centre.blocks; ++g) {
      const Reader<Lanes> u{centre.displacement + g * 3 * list.atoms * kLanes};
      const Lanes weight = load(centre.lane_weight + g * kLanes);
      const Vector<Lanes> d = placed(list, separation(list, u, atom(u, centre.centre), first + slot));
      // With r2 as the variable, f = (dU/dr)/r gives the block f 1 + 2 (df/dr2) d d.
      Dual energy = zero<Dual>();
      Dual f = zero<Dual>();
      if (!lennard_jones_pair<false>(k, Dual{dot(d, d), one}, energy, f)) continue;
      const Lanes isotropic = weight * f.value;
      const Lanes stretch = weight * f.slope * splat(2.0);
      const Lanes v[3] = {d.x, d.y, d.z};
      for (int c = 0; c < 3; ++c) {
        sums[4 * c] = sums[4 * c] + isotropic;
        for (int e = 0; e < 3; ++e) sums[3 * c + e] = sums[3 * c + e] + stretch * v[c] * v[e];
      }
    }
    for (int c = 0; c < 9; ++c) {
      store(centre.scratch, sums[c]);
      centre.result[slot * 9 + c] = sum_of_lanes(centre.scratch);
    }
  }
}
#endif

void exponential_of_block(const Number* x, Number* y) { store(y, exponential(load(x))); }

}  // namespace
}  // namespace BGW_VARIANT
}  // namespace bgw::physics::kernels
