#include "runtime/trajectory/sample_reader.h"

#include <algorithm>

#include "runtime/foundation/errors.h"

namespace bgw::trajectory {
namespace {

using crystal::Matrix3;
using crystal::Vector3;

constexpr std::int64_t kWindowBytes = 4 << 20;

Matrix3 matrix_from(const double* numbers) {
  Matrix3 matrix{};
  for (std::size_t i = 0; i < 9; ++i) matrix[i / 3][i % 3] = numbers[i];
  return matrix;
}

/// F x.
Vector3 deformed(const Matrix3& f, const Vector3& x) {
  Vector3 y{};
  for (std::size_t i = 0; i < 3; ++i) y[i] = f[i][0] * x[0] + f[i][1] * x[1] + f[i][2] * x[2];
  return y;
}

}  // namespace

SampleReader::SampleReader(const std::filesystem::path& result) : file_(result) {
  for (const char* name : {"displacements", "sites", "cell"}) {
    if (!file_.has(name)) throw InputError("it makes no configurations");
  }
  const std::vector<std::int64_t> shape = file_.shape("displacements");
  const artifacts::Array sites = file_.read("sites");
  if (shape.size() != 3 || shape[2] != 3 || sites.shape != std::vector<std::int64_t>{shape[1], 3}) {
    throw StoreError("the configurations in " + result.string() + " and their sites do not fit together");
  }
  frames_ = shape[0];
  content_ = {shape[1], file_.has("time"), file_.has("energy"), file_.has("log_weight"), file_.has("chain")};
  for (std::size_t i = 0; i < sites.doubles.size(); i += 3) sites_.push_back({sites.doubles[i], sites.doubles[i + 1], sites.doubles[i + 2]});
  cell_ = matrix_from(file_.read("cell").doubles.data());
  displacements_ = {"displacements", 3 * content_.atoms};
  if (file_.has("deformation")) deformation_ = {"deformation", 9};
  if (content_.energy) energy_ = {"energy", 1};
  if (content_.weights) log_weight_ = {"log_weight", 1};
  if (content_.chain) chain_ = {"chain", 1};
  if (content_.time) time_ = {"time", 1};
}

std::vector<double> SampleReader::log_weights() const {
  return content_.weights ? file_.rows("log_weight", 0, frames_) : std::vector<double>{};
}

const double* SampleReader::row_of(Window& window, std::int64_t index) {
  if (index < window.first || index >= window.first + window.count) {
    const std::int64_t most = std::max<std::int64_t>(1, kWindowBytes / (8 * window.row));
    window.first = index;
    window.count = std::min(most, frames_ - index);
    window.numbers = file_.rows(window.name, window.first, window.count);
  }
  return window.numbers.data() + (index - window.first) * window.row;
}

std::optional<double> SampleReader::number_of(Window& window, std::int64_t index) {
  return window.row == 0 ? std::nullopt : std::optional(*row_of(window, index));
}

Frame SampleReader::frame(std::int64_t index) {
  Frame frame;
  frame.step = index;
  frame.cell = cell_;
  const double* u = row_of(displacements_, index);
  for (std::size_t i = 0; i < sites_.size(); ++i) {
    frame.positions.push_back({sites_[i][0] + u[3 * i], sites_[i][1] + u[3 * i + 1], sites_[i][2] + u[3 * i + 2]});
  }
  if (deformation_.row > 0) {
    const Matrix3 f = matrix_from(row_of(deformation_, index));
    for (Vector3& position : frame.positions) position = deformed(f, position);
    for (Vector3& edge : frame.cell) edge = deformed(f, edge);
  }
  frame.energy = number_of(energy_, index);
  frame.log_weight = number_of(log_weight_, index);
  frame.time = number_of(time_, index);
  if (const auto chain = number_of(chain_, index)) frame.chain = static_cast<std::int64_t>(*chain);
  return frame;
}

}  // namespace bgw::trajectory
