#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "runtime/crystal/lattice.h"
#include "runtime/flows/parameter_layout.h"
#include "runtime/tensor/tensor.h"

namespace bgw::flows {

/// Sizes of the network and the length by which it sees. They are constants of a trained network, not of the crystal it is
/// applied to.
struct LocalForceSpec {
  std::int64_t neighbours = 16;  // k, whole shells of them
  std::int64_t hidden = 128;     // H, numbers of each of two layers
  double length = 0.2;           // angstrom
  at::ScalarType precision = at::kDouble;
};

/// A network in place of an expensive force: the part of beta dU/du that a Gaussian base leaves, from the displacements of
/// near neighbours. For a site i whose neighbours on the k nearest sites of the perfect crystal are j_1 ... j_k,
///
///   x = R_i^T (u_j - u_i) / length                                                                      3 k numbers
///   f_i = R_i (out act(second act(first x)) + linear x) / length         first 3 k -> H, second H -> H, out H -> 3
///
/// with act(x) = x (1 + x / sqrt(1 + x^2)) / 2, smooth and exactly rounded everywhere. Sites that a symmetry of the crystal
/// carries onto each other share a network: R_i is the rotation that carries the neighbours of the first of them onto those
/// of i, in this order (the identity where a translation does, the inversion where it does). Symmetry is that of one unit
/// cell, so a network on one box is a network on all boxes of it. Uniform shifts of u change nothing.
///
/// The force is not the gradient of an energy: a mode-split flow needs none. `out` and `linear` begin at zero.
/// Each field passes by itself, so that its numbers depend neither on its batch nor on threads. Products of matrices are
/// those of the BLAS, so the last bits hang on the processor.
class LocalForce {
 public:
  /// @throws InputError unless the neighbours close a shell around every site, or for a hidden layer without numbers
  LocalForce(const crystal::Crystal& crystal, const LocalForceSpec& spec);

  const LocalForceSpec& spec() const { return spec_; }
  std::int64_t particles() const { return static_cast<std::int64_t>(network_of_.size()); }
  std::int64_t networks() const { return networks_; }  // one for each kind of site
  const ParameterLayout& layout() const { return layout_; }

  /// The weights of one network, of the precision asked for.
  struct Network {
    Tensor first, first_bias, second, second_bias, out, linear;
  };
  std::vector<Network> networks(const Tensor& parameters) const;

  /// The force on fields, with what its derivatives need.
  class Pass {
   public:
    /// @param u  [B, N, 3], float64, one by one or together: all rows of all of them are one product
    Pass(const LocalForce& force, const std::vector<Network>& networks, const Tensor& u);
    Tensor force() const;                       // [B, N, 3], 1/angstrom
    Tensor turned_back(const Tensor& w) const;  // (df/du)^T w, [B, N, 3]
    /// Adds w df/dparameters to a gradient [P], float64.
    void add_gradient(const Tensor& w, Tensor& gradient) const;

   private:
    struct Layers {
      Tensor x, first, first_slope, second, second_slope;
    };
    struct Bars {
      Tensor out, second, first;  // of the sums that enter each layer
    };
    Bars bars(std::size_t network, const Tensor& w) const;

    const LocalForce& force_;
    const std::vector<Network>& networks_;
    std::int64_t fields_;
    std::vector<Layers> layers_;  // of each network
  };

 private:
  /// The numbers that the sites of a network see, [B * sites, 3 k].
  Tensor seen(std::size_t network, const Tensor& u) const;
  Tensor rotated(std::size_t network, const Tensor& rows, std::int64_t fields) const;
  const double* rotation(std::int64_t site) const { return rotations_[static_cast<std::size_t>(site % basis_)].data(); }

  LocalForceSpec spec_;
  std::int64_t basis_ = 0, networks_ = 0;
  std::vector<std::array<double, 9>> rotations_;  // [basis], R
  std::vector<std::int64_t> network_of_;          // [N]
  std::vector<std::vector<std::int64_t>> sites_;  // of each network
  std::vector<std::int64_t> senders_;             // [N, k], in the order that R carries along
  ParameterLayout layout_;
};

}  // namespace bgw::flows
