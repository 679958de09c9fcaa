#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compiler/plan/plan.h"
#include "runtime/tensor/tensor.h"

namespace bgw::flows {

/// How a parameter of a network begins.
struct Start {
  enum class Kind { zero, truncated_normal };
  Kind kind = Kind::zero;
  double deviation = 0;  // of the truncated normal distribution, which is cut at two of the normal one it comes from
};

/// Where one tensor of parameters lies in the flat vector of all.
struct ParameterEntry {
  std::string name;                 // dotted, "coupling_3.message_0.bias"
  std::vector<std::int64_t> sizes;
  std::int64_t offset = 0;
  Start start;
  std::int64_t numel() const;
};

/// A piece of the flat vector of parameters.
struct ParameterRange {
  std::int64_t first = 0;
  std::int64_t count = 0;
  friend bool operator==(const ParameterRange&, const ParameterRange&) = default;
};

/// All parameters of a flow as one flat vector [P], which is what is trained and saved, with names for its pieces.
class ParameterLayout {
 public:
  /// Appends a tensor. @return its index
  /// @throws std::logic_error when the name is taken
  std::size_t add(std::string name, std::vector<std::int64_t> sizes, Start start = {});
  /// Appends all of another layout, its names behind `prefix.`. @return where its own flat vector begins in this one
  std::int64_t append(const std::string& prefix, const ParameterLayout& other);

  std::int64_t size() const { return size_; }  // P
  const std::vector<ParameterEntry>& entries() const { return entries_; }
  /// The piece as a view of the flat vector; gradients flow through it.
  Tensor view(const Tensor& flat, std::size_t index) const;
  /// Start values, each tensor from a stream of its name: they do not change when another tensor is added.
  /// @return [P] of that type
  Tensor start(const plan::Key& stream_key, at::ScalarType type) const;

 private:
  std::vector<ParameterEntry> entries_;
  std::int64_t size_ = 0;
};

}  // namespace bgw::flows
