#include "runtime/flows/parameter_layout.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <numeric>
#include <stdexcept>

#include "runtime/tensor/random_stream.h"

namespace bgw::flows {
namespace {

// A normal distribution cut at two of its standard deviations has this much of its standard deviation left.
constexpr double kLeftOfDeviation = 0.87962566103423978;

/// Cut by inversion: uniform numbers become those of the normal distribution between -2 and 2.
Tensor truncated_normal(const tensor::RandomStream& stream, std::int64_t count, double deviation) {
  const double edge = std::erf(std::numbers::sqrt2);
  const Tensor uniform = stream.uniform(0, 0, 1, count).squeeze(0);
  const Tensor cut = std::numbers::sqrt2 * at::erfinv(edge * (2.0 * uniform - 1.0));
  return deviation / kLeftOfDeviation * cut;
}

}  // namespace

std::int64_t ParameterEntry::numel() const {
  return std::accumulate(sizes.begin(), sizes.end(), std::int64_t{1}, std::multiplies<>());
}

std::size_t ParameterLayout::add(std::string name, std::vector<std::int64_t> sizes, Start start) {
  const auto same = [&](const ParameterEntry& entry) { return entry.name == name; };
  if (std::any_of(entries_.begin(), entries_.end(), same)) throw std::logic_error("two parameters named " + name);
  entries_.push_back({std::move(name), std::move(sizes), size_, start});
  size_ += entries_.back().numel();
  return entries_.size() - 1;
}

std::int64_t ParameterLayout::append(const std::string& prefix, const ParameterLayout& other) {
  const std::int64_t begin = size_;
  for (const ParameterEntry& entry : other.entries()) add(prefix + "." + entry.name, entry.sizes, entry.start);
  return begin;
}

Tensor ParameterLayout::view(const Tensor& flat, std::size_t index) const {
  const ParameterEntry& entry = entries_.at(index);
  return flat.narrow(0, entry.offset, entry.numel()).view(entry.sizes);
}

Tensor ParameterLayout::start(const plan::Key& stream_key, at::ScalarType type) const {
  const Tensor flat = at::zeros({size_}, at::TensorOptions().dtype(type));
  for (const ParameterEntry& entry : entries_) {
    if (entry.start.kind == Start::Kind::zero) continue;
    const tensor::RandomStream stream(stream_key, "start." + entry.name);
    flat.narrow(0, entry.offset, entry.numel()).copy_(truncated_normal(stream, entry.numel(), entry.start.deviation));
  }
  return flat;
}

}  // namespace bgw::flows
