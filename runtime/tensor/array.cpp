#include "runtime/tensor/array.h"

#include "runtime/foundation/errors.h"

namespace bgw::tensor {

artifacts::Array to_array(const Tensor& tensor, std::string unit) {
  artifacts::Array array;
  array.unit = std::move(unit);
  array.shape.assign(tensor.sizes().begin(), tensor.sizes().end());
  if (at::isIntegralType(tensor.scalar_type(), true)) {
    const Tensor plain = tensor.detach().to(at::kCPU, at::kLong).contiguous();
    const std::int64_t* data = plain.data_ptr<std::int64_t>();
    array.integers.assign(data, data + plain.numel());
  } else {
    const Tensor plain = tensor.detach().to(at::kCPU, at::kDouble).contiguous();
    const double* data = plain.data_ptr<double>();
    array.doubles.assign(data, data + plain.numel());
  }
  return array;
}

Tensor to_tensor(const artifacts::Array& array) {
  const auto held = static_cast<std::int64_t>(array.is_integer() ? array.integers.size() : array.doubles.size());
  if (held != array.size()) throw ShapeError("an array's shape does not fit its numbers");
  if (array.is_integer()) {
    Tensor tensor = at::empty(array.shape, at::kLong);
    std::copy(array.integers.begin(), array.integers.end(), tensor.data_ptr<std::int64_t>());
    return tensor;
  }
  Tensor tensor = at::empty(array.shape, at::kDouble);
  std::copy(array.doubles.begin(), array.doubles.end(), tensor.data_ptr<double>());
  return tensor;
}

}  // namespace bgw::tensor
