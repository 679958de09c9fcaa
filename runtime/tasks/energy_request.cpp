#include "runtime/tasks/energy_request.h"

#include <cmath>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "runtime/foundation/errors.h"
#include "runtime/physics/make_energy_model.h"

namespace bgw::tasks {
namespace {

crystal::Vector3 vector_of(const schema::Value& value) {
  const schema::List& list = value.as_list();
  if (list.size() != 3) throw InputError("a position or a cell vector has three numbers");
  return {list[0].as_double(), list[1].as_double(), list[2].as_double()};
}

/// Which two atoms are nearest, and how near.
std::string nearest_pair(const std::vector<crystal::Vector3>& positions, const crystal::Cell& cell) {
  double least = INFINITY;
  std::string found = "one atom alone";
  for (std::size_t i = 0; i < positions.size(); ++i) {
    for (std::size_t j = i + 1; j < positions.size(); ++j) {
      const crystal::Vector3 d = cell.minimum_image(
          {positions[j][0] - positions[i][0], positions[j][1] - positions[i][1], positions[j][2] - positions[i][2]});
      const double r = std::sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]);
      if (r >= least) continue;
      least = r;
      found = fmt::format("atoms {} and {} are {:.3g} angstrom apart", i + 1, j + 1, r);
    }
  }
  return found;
}

schema::Value rows_of(const double* rows, std::int64_t count, double factor) {
  schema::List result;
  for (std::int64_t i = 0; i < count; ++i)
    result.push_back(schema::List{factor * rows[3 * i], factor * rows[3 * i + 1], factor * rows[3 * i + 2]});
  return result;
}

schema::Value answer_for(const schema::Value& structure, const schema::Value& request) {
  crystal::Cell cell;
  for (std::size_t i = 0; i < 3; ++i) cell.vectors[i] = vector_of(structure.at("cell").as_list().at(i));
  std::vector<crystal::Vector3> positions;
  for (const schema::Value& position : structure.at("positions").as_list()) positions.push_back(vector_of(position));
  if (positions.empty()) throw InputError("the structure has no atoms");
  const double volume = cell.volume();
  if (!std::isfinite(volume) || !(volume > 0)) throw InputError("the structure's cell has no volume");

  const auto model = physics::make_energy_model(request.at("system"), positions, cell);
  const auto n = static_cast<std::int64_t>(positions.size());
  const Tensor undeformed = at::eye(3, at::kDouble).unsqueeze(0);
  const auto result = model->energy_gradient_and_strain(at::zeros({1, n, 3}, at::kDouble), undeformed);
  const double energy = result.energy.item<double>();
  if (!std::isfinite(energy)) throw InputError("the energy is not finite: " + nearest_pair(positions, cell));
  schema::Map answer{{"energy", energy}};
  if (request.bool_or("forces", false)) answer.emplace("forces", rows_of(result.gradient.data_ptr<double>(), n, -1.0));
  if (request.bool_or("stress", false))
    answer.emplace("stress", rows_of(result.strain_gradient.data_ptr<double>(), 3, 1.0 / volume));
  return answer;
}

}  // namespace

schema::Value answer_energy_request(const schema::Value& request) {
  const std::string style = request.at("system").at("potential").string_or("style", "");
  if (style == "einstein" || style == "harmonic")
    throw InputError(fmt::format(
        "the springs of an {} crystal are tied to the sites of its lattice: a structure alone has no energy", style));
  schema::List answers;
  for (const schema::Value& structure : request.at("structures").as_list())
    answers.push_back(answer_for(structure, request));
  return schema::Map{{"structures", std::move(answers)}};
}

}  // namespace bgw::tasks
