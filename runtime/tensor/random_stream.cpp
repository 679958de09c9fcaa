#include "runtime/tensor/random_stream.h"

#include <cmath>
#include <numbers>
#include <string>

#include "compiler/plan/sha256.h"

namespace bgw::tensor {
namespace {

using Words = std::array<std::uint32_t, 4>;

/// 53 random bits as a number in [0, 1).
double unit_interval(std::uint32_t high, std::uint32_t low) {
  const std::uint64_t bits = (static_cast<std::uint64_t>(high) << 32) | low;
  return static_cast<double>(bits >> 11) * 0x1.0p-53;
}

}  // namespace

Words philox(Words counter, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = 0xD2511F53ULL * counter[0];
    const std::uint64_t p1 = 0xCD9E8D57ULL * counter[2];
    counter = {static_cast<std::uint32_t>(p1 >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(p1),
               static_cast<std::uint32_t>(p0 >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(p0)};
    key[0] += 0x9E3779B9U;
    key[1] += 0xBB67AE85U;
  }
  return counter;
}

// The counter is (position within the sample, sample, step, tag); step and sample get 32 bits each, which the longest
// study does not reach. Stream key and purpose enter the Philox key and the tag.
RandomStream::RandomStream(const plan::Key& key, std::string_view purpose) {
  std::string text(reinterpret_cast<const char*>(key.bytes.data()), key.bytes.size());
  text += purpose;
  const plan::Key digest = plan::sha256(text);
  const auto word = [&](int i) {
    std::uint32_t value = 0;
    for (int b = 0; b < 4; ++b) value = (value << 8) | digest.bytes[static_cast<std::size_t>(4 * i + b)];
    return value;
  };
  key_ = {word(0), word(1)};
  tag_ = word(2);
}

Tensor RandomStream::uniform(std::int64_t step, std::int64_t first_sample, std::int64_t samples,
                             std::int64_t width) const {
  Tensor result = at::empty({samples, width}, at::kDouble);
  double* out = result.data_ptr<double>();
  for (std::int64_t s = 0; s < samples; ++s) {
    for (std::int64_t w = 0; w < width; w += 2) {
      const Words bits = philox({static_cast<std::uint32_t>(w / 2), static_cast<std::uint32_t>(first_sample + s),
                                 static_cast<std::uint32_t>(step), tag_},
                                key_);
      *out++ = unit_interval(bits[0], bits[1]);
      if (w + 1 < width) *out++ = unit_interval(bits[2], bits[3]);
    }
  }
  return result;
}

// Box-Muller: a pair of normals from a pair of uniforms, so that position w of a sample never depends on how many
// numbers were drawn before it.
Tensor RandomStream::normal(std::int64_t step, std::int64_t first_sample, std::int64_t samples,
                            std::int64_t width) const {
  const std::int64_t even = width + (width & 1);
  Tensor result = uniform(step, first_sample, samples, even);
  double* x = result.data_ptr<double>();
  for (std::int64_t i = 0; i < samples * even; i += 2) {
    const double radius = std::sqrt(-2.0 * std::log1p(-x[i]));
    const double angle = 2.0 * std::numbers::pi * x[i + 1];
    x[i] = radius * std::cos(angle);
    x[i + 1] = radius * std::sin(angle);
  }
  return even == width ? result : result.slice(1, 0, width).contiguous();
}

Tensor RandomStream::permutation(std::int64_t step, std::int64_t n) const {
  Tensor result = at::arange(n, at::kLong);
  std::int64_t* order = result.data_ptr<std::int64_t>();
  const Tensor draws = uniform(step, 0, 1, n);
  const double* u = draws.data_ptr<double>();
  for (std::int64_t i = n - 1; i > 0; --i) {
    std::swap(order[i], order[static_cast<std::int64_t>(u[i] * static_cast<double>(i + 1))]);
  }
  return result;
}

Tensor RandomStream::integers(std::int64_t step, std::int64_t count, std::int64_t bound) const {
  return (uniform(step, 0, 1, count).reshape({count}) * static_cast<double>(bound)).floor().to(at::kLong);
}

}  // namespace bgw::tensor
