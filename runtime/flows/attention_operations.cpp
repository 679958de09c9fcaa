#include "runtime/flows/attention_operations.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "runtime/foundation/errors.h"

namespace bgw::flows {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

// Above so many rows products of matrices are large enough for the library.
constexpr std::int64_t kFewRows = 32;

void refuse_second_derivative(const char* what) {
  TORCH_CHECK(!at::GradMode::is_enabled(), what, " has no second derivative");
}

/// f(T{}) with the type of the numbers.
template <class F>
void of_type(const Tensor& numbers, const F& f) {
  if (numbers.scalar_type() == at::kFloat) return f(float{});
  if (numbers.scalar_type() == at::kDouble) return f(double{});
  throw ShapeError("attention works on float32 and float64");
}

constexpr double kGeluLinear = 1.5957691216057308;  // 2 sqrt(2 / pi)
constexpr double kGeluCubic = 0.044715 * kGeluLinear;

struct TanhGelu : torch::autograd::Function<TanhGelu> {
  static Tensor forward(AutogradContext* ctx, const Tensor& given) {
    const Tensor x = given.contiguous();
    Tensor gate = at::empty_like(x);
    const Tensor y = at::empty_like(x);
    of_type(x, [&](auto zero) {
      using T = decltype(zero);
      const T* a = x.data_ptr<T>();
      T* g = gate.data_ptr<T>();
      T* out = y.data_ptr<T>();
      const std::int64_t n = x.numel();
      for (std::int64_t i = 0; i < n; ++i) g[i] = a[i] * (T(kGeluLinear) + T(kGeluCubic) * a[i] * a[i]);
      gate.sigmoid_();
      for (std::int64_t i = 0; i < n; ++i) out[i] = a[i] * g[i];
    });
    ctx->save_for_backward({x, gate});
    return y;
  }

  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    refuse_second_derivative("gelu");
    const auto saved = ctx->get_saved_variables();
    const Tensor y_bar = grads[0].contiguous();
    const Tensor x_bar = at::empty_like(y_bar);
    of_type(y_bar, [&](auto zero) {
      using T = decltype(zero);
      const T* a = saved[0].data_ptr<T>();
      const T* g = saved[1].data_ptr<T>();
      const T* bar = y_bar.data_ptr<T>();
      T* out = x_bar.data_ptr<T>();
      const std::int64_t n = y_bar.numel();
      for (std::int64_t i = 0; i < n; ++i) {
        const T bend = a[i] * (T(kGeluLinear) + T(3 * kGeluCubic) * a[i] * a[i]);
        out[i] = bar[i] * (g[i] + g[i] * (T(1) - g[i]) * bend);
      }
    });
    return {x_bar};
  }
};

/// Where the numbers of an atom and a head lie.
struct Heads {
  std::int64_t rows, heads, size;
  std::int64_t width() const { return heads * size; }
  std::int64_t query(std::int64_t row, std::int64_t head) const { return row * 3 * width() + head * size; }
  std::int64_t key(std::int64_t row, std::int64_t head) const { return query(row, head) + width(); }
  std::int64_t value(std::int64_t row, std::int64_t head) const { return query(row, head) + 2 * width(); }
  std::int64_t mixed(std::int64_t row, std::int64_t head) const { return row * width() + head * size; }
};

Heads heads_of(const Tensor& all, const Atoms& atoms, std::int64_t heads) {
  if (all.dim() != 2 || heads < 1 || all.size(1) % (3 * heads) != 0 || atoms.stride < atoms.rows ||
      all.size(0) != atoms.samples * atoms.stride)
    throw ShapeError("attention: needs [samples stride, 3 heads size]");
  return {atoms.rows, heads, all.size(1) / (3 * heads)};
}

/// Eight sums at a time, so that the loop fills registers.
template <class T>
T dot(const T* a, const T* b, std::int64_t n) {
  T sums[8] = {};
  std::int64_t c = 0;
  for (; c + 8 <= n; c += 8) {
    for (int l = 0; l < 8; ++l) sums[l] += a[c + l] * b[c + l];
  }
  T rest = 0;
  for (; c < n; ++c) rest += a[c] * b[c];
  return ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7])) + rest;
}

template <class T>
void add_times(T* to, T factor, const T* from, std::int64_t n) {
  for (std::int64_t c = 0; c < n; ++c) to[c] += factor * from[c];
}

template <class T>
void softmax(T* numbers, std::int64_t n) {
  const T largest = *std::max_element(numbers, numbers + n);
  T sum = 0;
  for (std::int64_t j = 0; j < n; ++j) sum += numbers[j] = std::exp(numbers[j] - largest);
  for (std::int64_t j = 0; j < n; ++j) numbers[j] /= sum;
}

/// One sample. @param shares  [heads, rows, rows], how much of each atom goes to each
template <class T>
void attend(const Heads& h, const T* all, T* shares, T* mixed) {
  const T scale = T(1) / std::sqrt(static_cast<T>(h.size));
  for (std::int64_t head = 0; head < h.heads; ++head) {
    for (std::int64_t i = 0; i < h.rows; ++i, shares += h.rows) {
      for (std::int64_t j = 0; j < h.rows; ++j)
        shares[j] = scale * dot(all + h.query(i, head), all + h.key(j, head), h.size);
      softmax(shares, h.rows);
      T* out = mixed + h.mixed(i, head);
      std::fill(out, out + h.size, T(0));
      for (std::int64_t j = 0; j < h.rows; ++j) add_times(out, shares[j], all + h.value(j, head), h.size);
    }
  }
}

/// Adds to all_bar, which begins at zero.
template <class T>
void attend_back(const Heads& h, const T* all, const T* shares, const T* mixed_bar, T* all_bar) {
  const T scale = T(1) / std::sqrt(static_cast<T>(h.size));
  std::vector<T> bars(static_cast<std::size_t>(h.rows));
  for (std::int64_t head = 0; head < h.heads; ++head) {
    for (std::int64_t i = 0; i < h.rows; ++i, shares += h.rows) {
      const T* out_bar = mixed_bar + h.mixed(i, head);
      for (std::int64_t j = 0; j < h.rows; ++j)
        bars[static_cast<std::size_t>(j)] = dot(out_bar, all + h.value(j, head), h.size);
      const T mean = dot(shares, bars.data(), h.rows);
      for (std::int64_t j = 0; j < h.rows; ++j) {
        const T score_bar = scale * shares[j] * (bars[static_cast<std::size_t>(j)] - mean);
        add_times(all_bar + h.value(j, head), shares[j], out_bar, h.size);
        add_times(all_bar + h.query(i, head), score_bar, all + h.key(j, head), h.size);
        add_times(all_bar + h.key(j, head), score_bar, all + h.query(i, head), h.size);
      }
    }
  }
}

struct SelfAttention : torch::autograd::Function<SelfAttention> {
  static Tensor forward(AutogradContext* ctx, const Tensor& given, const Atoms& atoms, std::int64_t heads) {
    const Tensor all = given.contiguous();
    const Heads h = heads_of(all, atoms, heads);
    const Tensor shares = at::empty({atoms.samples, heads, h.rows, h.rows}, all.options());
    const Tensor mixed = at::zeros({all.size(0), h.width()}, all.options());
    of_type(all, [&](auto zero) {
      using T = decltype(zero);
      for (std::int64_t b = 0; b < atoms.samples; ++b) {
        const std::int64_t row = b * atoms.stride;
        attend(h, all.data_ptr<T>() + row * 3 * h.width(), shares.data_ptr<T>() + b * shares.stride(0),
               mixed.data_ptr<T>() + row * h.width());
      }
    });
    ctx->save_for_backward({all, shares});
    ctx->saved_data["stride"] = atoms.stride;
    return mixed;
  }

  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    refuse_second_derivative("attention");
    const auto saved = ctx->get_saved_variables();
    const Tensor& all = saved[0];
    const Tensor& shares = saved[1];
    const Atoms atoms{shares.size(0), shares.size(2), ctx->saved_data["stride"].toInt()};
    const Heads h = heads_of(all, atoms, shares.size(1));
    const Tensor mixed_bar = grads[0].contiguous();
    const Tensor all_bar = at::zeros_like(all);
    of_type(all, [&](auto zero) {
      using T = decltype(zero);
      for (std::int64_t b = 0; b < atoms.samples; ++b) {
        const std::int64_t row = b * atoms.stride;
        attend_back(h, all.data_ptr<T>() + row * 3 * h.width(), shares.data_ptr<T>() + b * shares.stride(0),
                    mixed_bar.data_ptr<T>() + row * h.width(), all_bar.data_ptr<T>() + row * 3 * h.width());
      }
    });
    return {all_bar, Tensor(), Tensor()};
  }
};

}  // namespace

Tensor tanh_gelu(const Tensor& x) { return TanhGelu::apply(x); }

Tensor self_attention(const Tensor& all, const Atoms& atoms, std::int64_t heads) {
  if (atoms.rows > kFewRows) return self_attention_by_products(all, atoms, heads);
  return SelfAttention::apply(all, atoms, heads);
}

Tensor self_attention_by_products(const Tensor& all, const Atoms& atoms, std::int64_t heads) {
  const Heads h = heads_of(all, atoms, heads);
  // [3, samples, heads, rows, size]
  const Tensor parts =
      all.view({atoms.samples, atoms.stride, 3, heads, h.size}).narrow(1, 0, h.rows).permute({2, 0, 3, 1, 4});
  const Tensor scores = at::matmul(parts[0], parts[1].transpose(2, 3)) / std::sqrt(static_cast<double>(h.size));
  const Tensor mixed = at::matmul(scores.softmax(3), parts[2]).transpose(1, 2).flatten(2);
  return at::constant_pad_nd(mixed, {0, 0, 0, atoms.stride - h.rows}).flatten(0, 1);
}

}  // namespace bgw::flows
