// The kernels, written once. A variant source defines BGW_VARIANT (a namespace) and includes this file; each is
// compiled for its processor family. The formulas are those of method.md 1.2 and 1.4.
//
// Alternatives set aside: a triplet loop (four times slower at 16 neighbours), Newton's third law for the three-body
// part (its pair quantities are cheap beside the traffic of storing them), float32 (the free energies want 1e-5 kT).

#include "runtime/physics/kernels/kernel_table.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace bgw::physics::kernels {
namespace BGW_VARIANT {
namespace {

#include "runtime/physics/kernels/lanes.h"

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
  const double* value;
  Lanes at(std::int64_t c) const { return load(value + c * kLanes); }
};

template <>
struct Reader<Dual> {
  const double* value;
  const double* slope;
  Dual at(std::int64_t c) const { return {load(value + c * kLanes), load(slope + c * kLanes)}; }
};

BGW_INLINE Reader<Lanes> reader(const Block& b, Lanes*) { return {b.displacement}; }
BGW_INLINE Reader<Dual> reader(const Block& b, Dual*) { return {b.displacement, b.tangent}; }

template <class S>
BGW_INLINE Vector<S> atom(const Reader<S>& u, std::int64_t i) {
  return {u.at(3 * i), u.at(3 * i + 1), u.at(3 * i + 2)};
}

BGW_INLINE void add(double* p, Lanes x) { store(p, load(p) + x); }

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

/// Nearest image of a separation in an orthorhombic cell, coordinate by coordinate.
BGW_INLINE Lanes nearest(Lanes x, double edge) { return x - splat(edge) * round_to_integer(x * splat(1.0 / edge)); }
BGW_INLINE Dual nearest(Dual x, double edge) { return {nearest(x.value, edge), x.slope}; }

/// What a separation of the list becomes in the cell: itself ...
struct Undeformed {
  static constexpr bool kDeformed = false;
  BGW_INLINE_MEMBER explicit Undeformed(const Block&) {}
  template <class S>
  BGW_INLINE_MEMBER Vector<S> operator()(const Vector<S>& d) const {
    return d;
  }
};

/// ... or F times itself.
struct Deformed {
  static constexpr bool kDeformed = true;
  const double* f;
  BGW_INLINE_MEMBER explicit Deformed(const Block& b) : f(b.deformation) {}
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

/// The gradient in the deformed cell becomes that in the displacements: F^T g.
BGW_INLINE void finish_deformed(const NeighbourView& list, const Block& block, const Strain& s) {
  const Deformed frame(block);
  for (std::int64_t i = 0; i < list.atoms; ++i) {
    double* g = block.gradient + 3 * i * kLanes;
    const Vector<Lanes> t = frame.transposed({load(g), load(g + kLanes), load(g + 2 * kLanes)});
    store(g, t.x);
    store(g + kLanes, t.y);
    store(g + 2 * kLanes, t.z);
  }
  const Lanes sums[6] = {s.xx, s.yy, s.zz, s.xy, s.xz, s.yz};
  for (int c = 0; c < 6; ++c) add(block.strain + c * kLanes, sums[c]);
}

/// Separation of the atom of entry e from atom i.
template <class S>
BGW_INLINE Vector<S> separation(const NeighbourView& list, const Reader<S>& u, const Vector<S>& ui, std::int64_t e) {
  const std::int64_t j = list.index[e];
  const double* o = list.offset + 3 * e;
  Vector<S> d{u.at(3 * j) - ui.x + splat(o[0]), u.at(3 * j + 1) - ui.y + splat(o[1]),
              u.at(3 * j + 2) - ui.z + splat(o[2])};
  if (list.wrap != nullptr) d = {nearest(d.x, list.wrap[0]), nearest(d.y, list.wrap[1]), nearest(d.z, list.wrap[2])};
  return d;
}

// ---------------------------------------------------------------------------------------------- Stillinger-Weber

/// One bond of a centre that is inside the cutoff in at least one lane; zero strength in the other lanes.
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

/// The bond at separation d; returns false when no lane is within the cutoff. Not-a-number counts as within.
template <class S>
BGW_INLINE bool make_bond(const StillingerWeber& k, const Vector<S>& d, bool owner, Bond<S>& bond, S& pair_energy) {
  const S r2 = dot(d, d);
  const Lanes cutoff2 = splat(k.cutoff * k.cutoff);
  const Mask inside = inverse(below(cutoff2, value_of(r2)));
  if (!any(inside)) return false;
  const S safe = select(inside, r2, splat(0.25) * cutoff2);
  bond.inverse = reciprocal_root(safe);
  const S r = safe * bond.inverse;
  bond.n = {d.x * bond.inverse, d.y * bond.inverse, d.z * bond.inverse};
  // At r equal to the cutoff after rounding the exponent would be -inf and its derivative not a number.
  const S gap = r - splat(k.cutoff);
  const S w = reciprocal(select(below(value_of(gap), splat(-1e-12 * k.cutoff)), gap, splat(-1e-12 * k.cutoff)));
  const S w2 = w * w;
  bond.h = select(inside, exponential(w * splat(k.gamma_sigma)), splat(0.0));
  bond.dh = bond.h * w2 * splat(-k.gamma_sigma);
  bond.dpair = zero<S>();
  if (owner) {
    const S x = bond.inverse * splat(k.sigma);
    const S decay = select(inside, exponential(w * splat(k.sigma)), splat(0.0)) * splat(k.pair_strength);
    const S repulsion = integer_power(x, k.p) * splat(k.B);
    const S attraction = integer_power(x, k.q);
    const S phi = (repulsion - attraction) * decay;
    pair_energy = pair_energy + phi;
    bond.dpair = (attraction * splat(static_cast<double>(k.q)) - repulsion * splat(static_cast<double>(k.p))) *
                     bond.inverse * decay -
                 phi * w2 * splat(k.sigma);
  }
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
template <class S>
BGW_INLINE Vector<S> bond_gradient(const StillingerWeber& k, const Moments<S>& m, const Bond<S>& b) {
  const Lanes c0 = splat(k.cos0);
  const Vector<S> a{m.xx * b.n.x + m.xy * b.n.y + m.xz * b.n.z - m.v.x * c0,
                    m.xy * b.n.x + m.yy * b.n.y + m.yz * b.n.z - m.v.y * c0,
                    m.xz * b.n.x + m.yz * b.n.y + m.zz * b.n.z - m.v.z * c0};
  const S an = dot(a, b.n);
  const S bracket =
      an - dot(m.v, b.n) * c0 + m.s * splat(k.cos0 * k.cos0) - b.h * splat((1.0 - k.cos0) * (1.0 - k.cos0));
  const S across = b.h * b.inverse * splat(2.0 * k.triplet_strength);
  const S along = b.dh * bracket * splat(k.triplet_strength) + b.dpair - across * an;
  return {b.n.x * along + a.x * across, b.n.y * along + a.y * across, b.n.z * along + a.z * across};
}

template <class S, bool kGradient, class Frame>
BGW_INLINE void stillinger_weber_block(const NeighbourView& list, const StillingerWeber& k, const Block& block) {
  const Reader<S> u = reader(block, static_cast<S*>(nullptr));
  const Frame frame(block);
  Strain strain = no_strain();
  Bond<S>* bonds = reinterpret_cast<Bond<S>*>(block.scratch);
  std::int64_t* where = reinterpret_cast<std::int64_t*>(bonds + list.widest_row);
  Lanes energy = splat(0.0);
  for (std::int64_t i = 0; i < list.atoms; ++i) {
    const Vector<S> ui = atom(u, i);
    Moments<S> m = no_moments<S>();
    S centre_energy = zero<S>();
    std::int64_t count = 0;
    for (std::int64_t e = list.begin[i]; e < list.begin[i + 1]; ++e) {
      const Vector<S> d = frame(separation(list, u, ui, e));
      if (!make_bond(k, d, list.owner[e] != 0, bonds[count], centre_energy)) continue;
      add_moments(m, bonds[count]);
      where[count++] = e;
    }
    centre_energy = centre_energy + triplet_energy(k, m);
    energy = energy + value_of(centre_energy);
    if (!kGradient) continue;
    Vector<S> own{zero<S>(), zero<S>(), zero<S>()};
    for (std::int64_t b = 0; b < count; ++b) {
      const Vector<S> g = bond_gradient(k, m, bonds[b]);
      accumulate(block, list.index[where[b]], g);
      own = {own.x - g.x, own.y - g.y, own.z - g.z};
      if constexpr (Frame::kDeformed) add_bond(strain, g, frame(separation(list, u, ui, where[b])));
    }
    accumulate(block, i, own);
  }
  if constexpr (kGradient && Frame::kDeformed) finish_deformed(list, block, strain);
  store(block.energy, energy);
}

void stillinger_weber(const NeighbourView& list, const StillingerWeber& k, const Block& block) {
  if (block.tangent != nullptr) {
    stillinger_weber_block<Dual, true, Undeformed>(list, k, block);
  } else if (block.deformation != nullptr) {
    if (block.gradient != nullptr) stillinger_weber_block<Lanes, true, Deformed>(list, k, block);
    else stillinger_weber_block<Lanes, false, Deformed>(list, k, block);
  } else if (block.gradient != nullptr) {
    stillinger_weber_block<Lanes, true, Undeformed>(list, k, block);
  } else {
    stillinger_weber_block<Lanes, false, Undeformed>(list, k, block);
  }
}

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
                                   bool owner, Lanes weight, double* block) {
  const Lanes o = splat(0.0);
  const Lanes l = splat(1.0);
  const Moments<Dual> fixed{
      {m.xx, o}, {m.yy, o}, {m.zz, o}, {m.xy, o}, {m.xz, o}, {m.yz, o}, {{m.v.x, o}, {m.v.y, o}, {m.v.z, o}},
      {m.s, o},  {m.hh, o}};
  for (int direction = 0; direction < 3; ++direction) {
    const Vector<Dual> dd{{d.x, direction == 0 ? l : o}, {d.y, direction == 1 ? l : o}, {d.z, direction == 2 ? l : o}};
    Bond<Dual> bond;
    Dual energy = zero<Dual>();
    if (!make_bond(k, dd, owner, bond, energy)) return;
    const Vector<Dual> g = bond_gradient(k, fixed, bond);
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
      const Vector<Lanes> d = separation(list, u, ui, first + slot);
      Bond<Lanes> bond;
      Lanes energy = splat(0.0);
      if (!make_bond(k, d, false, bond, energy)) continue;
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
      add_bond_curvature(k, m, bonds[a].separation, list.owner[first + slot] != 0, weight,
                         sums + (slot * row + slot) * 9 * kLanes);
    }
  }
  for (std::int64_t x = 0; x < row * row * 9; ++x) centre.result[x] = sum_of_lanes(sums + x * kLanes);
}

// ------------------------------------------------------------------------------------------------- Lennard-Jones

/// Energy of a pair at squared distance r2 and (dU/dr)/r; zero in lanes beyond the cutoff.
template <class S>
BGW_INLINE bool lennard_jones_pair(const LennardJones& k, const S& r2, S& energy, S& slope_over_r) {
  const Lanes cutoff2 = splat(k.cutoff * k.cutoff);
  const Mask inside = inverse(below(cutoff2, value_of(r2)));
  if (!any(inside)) return false;
  const S inverse2 = reciprocal(select(inside, r2, cutoff2));
  const S s2 = inverse2 * splat(k.sigma * k.sigma);
  const S s6 = s2 * s2 * s2;
  energy = select(inside, s6 * (s6 - splat(1.0)) * splat(4.0 * k.epsilon) - splat(k.shift), splat(0.0));
  slope_over_r = select(inside, s6 * (s6 * splat(-48.0 * k.epsilon) + splat(24.0 * k.epsilon)) * inverse2, splat(0.0));
  return true;
}

template <class S, bool kGradient, class Frame>
BGW_INLINE void lennard_jones_block(const NeighbourView& list, const LennardJones& k, const Block& block) {
  const Reader<S> u = reader(block, static_cast<S*>(nullptr));
  const Frame frame(block);
  Strain strain = no_strain();
  Lanes energy = splat(0.0);
  for (std::int64_t i = 0; i < list.atoms; ++i) {
    const Vector<S> ui = atom(u, i);
    Vector<S> own{zero<S>(), zero<S>(), zero<S>()};
    for (std::int64_t e = list.begin[i]; e < list.begin[i + 1]; ++e) {
      const Vector<S> d = frame(separation(list, u, ui, e));
      S pair = zero<S>();
      S slope = zero<S>();
      if (!lennard_jones_pair(k, dot(d, d), pair, slope)) continue;
      energy = energy + value_of(pair);
      if (!kGradient) continue;
      const Vector<S> g{d.x * slope, d.y * slope, d.z * slope};
      accumulate(block, list.index[e], g);
      own = {own.x - g.x, own.y - g.y, own.z - g.z};
      if constexpr (Frame::kDeformed) add_bond(strain, g, d);
    }
    if (kGradient) accumulate(block, i, own);
  }
  if constexpr (kGradient && Frame::kDeformed) finish_deformed(list, block, strain);
  store(block.energy, energy);
}

void lennard_jones(const NeighbourView& list, const LennardJones& k, const Block& block) {
  if (block.tangent != nullptr) {
    lennard_jones_block<Dual, true, Undeformed>(list, k, block);
  } else if (block.deformation != nullptr) {
    if (block.gradient != nullptr) lennard_jones_block<Lanes, true, Deformed>(list, k, block);
    else lennard_jones_block<Lanes, false, Deformed>(list, k, block);
  } else if (block.gradient != nullptr) {
    lennard_jones_block<Lanes, true, Undeformed>(list, k, block);
  } else {
    lennard_jones_block<Lanes, false, Undeformed>(list, k, block);
  }
}

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
      const Vector<Lanes> d = separation(list, u, atom(u, centre.centre), first + slot);
      // With r2 as the variable, f = (dU/dr)/r gives the block f 1 + 2 (df/dr2) d d.
      Dual energy = zero<Dual>();
      Dual f = zero<Dual>();
      if (!lennard_jones_pair(k, Dual{dot(d, d), one}, energy, f)) continue;
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

void exponential_of_block(const double* x, double* y) { store(y, exponential(load(x))); }

}  // namespace
}  // namespace BGW_VARIANT
}  // namespace bgw::physics::kernels
