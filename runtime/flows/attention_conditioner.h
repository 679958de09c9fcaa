#pragma once

#include "runtime/flows/spline_coupling.h"

namespace bgw::flows {

/// The sizes of an attention network.
struct AttentionSpec {
  std::int64_t width = 256;      // of an atom's vector
  std::int64_t blocks = 2;
  std::int64_t heads = 2;
  std::int64_t frequencies = 8;  // Fourier features of a coordinate: as many cosines and as many sines
  std::int64_t bins = 16;        // of the splines
};

/// A transformer over the atoms of a crystal, which sees some of their coordinates and says how the splines move the
/// others. Coordinates are periodic with period one and enter as Fourier features, cos(2 pi n x) and sin(2 pi n x);
/// nothing else tells atoms apart, so that permuting them permutes the result. Blocks add attention and a two-layer
/// perceptron of four times the width, without normalisation. The last layer of each block's halves and that of the
/// network start at zero: the splines begin as the identity.
/// @source Wirnsberger et al., "Normalizing flows for atomic solids", Mach. Learn.: Sci. Technol. 3, 025009 (2022)
class AttentionConditioner : public Conditioner {
 public:
  /// @param given  coordinates of an atom that it sees
  /// @param moved  coordinates of an atom that the splines move
  /// @throws InputError for sizes below one, or a width that the heads do not divide
  AttentionConditioner(const AttentionSpec& spec, std::int64_t given, std::int64_t moved);

  const ParameterLayout& layout() const override { return layout_; }
  /// @param part  [B, rows, given], in units of the period; rows may be any number
  /// @return      [B, rows, moved, 3 bins + 1]
  Tensor raw(const Tensor& part, const Tensor& parameters) const override;

 private:
  /// A linear layer's places in the layout.
  struct Linear {
    std::size_t weight, bias;  // [out, in], [out]
  };
  struct Block {
    Linear query_key_value, attended, expand, contract;
  };
  Linear add_linear(const std::string& name, std::int64_t out, std::int64_t in, bool starts_at_zero);
  Tensor apply(const Linear& linear, const Tensor& input, const Tensor& parameters) const;

  AttentionSpec spec_;
  std::int64_t moved_;
  ParameterLayout layout_;
  Linear embed_{}, last_{};
  std::vector<Block> blocks_;
};

}  // namespace bgw::flows
