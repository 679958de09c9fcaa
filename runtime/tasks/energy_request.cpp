#include "runtime/tasks/energy_request.h"

#include <cmath>

#include "runtime/foundation/errors.h"
#include "runtime/physics/make_energy_model.h"

namespace bgw::tasks {
namespace {

crystal::Vector3 vector_of(const schema::Value& value) {
  const schema::List& list = value.as_list();
  if (list.size() != 3) throw InputError("a position or a cell vector has three numbers");
  return {list[0].as_double(), list[1].as_double(), list[2].as_double()};
}

}  // namespace

schema::Value answer_energy_request(const schema::Value& request) {
  crystal::Cell cell;
  for (std::size_t i = 0; i < 3; ++i) cell.vectors[i] = vector_of(request.at("cell").as_list().at(i));
  std::vector<crystal::Vector3> positions;
  for (const schema::Value& position : request.at("positions").as_list()) positions.push_back(vector_of(position));
  if (positions.empty()) throw InputError("the structure has no atoms");
  const double volume = cell.volume();
  if (!std::isfinite(volume) || !(std::abs(volume) > 0)) throw InputError("the structure's cell has no volume");

  const auto model = physics::make_energy_model(request.at("system"), positions, cell);
  const auto n = static_cast<std::int64_t>(positions.size());
  const auto result = model->energy_and_gradient(at::zeros({1, n, 3}, at::kDouble));
  const double energy = result.energy.item<double>();
  if (!std::isfinite(energy)) throw InputError("the energy is not finite: two atoms lie on one another");
  schema::Map answer{{"energy", energy}};
  if (request.bool_or("forces", false)) {
    const double* g = result.gradient.data_ptr<double>();
    schema::List forces;
    for (std::int64_t i = 0; i < n; ++i) forces.push_back(schema::List{-g[3 * i], -g[3 * i + 1], -g[3 * i + 2]});
    answer.emplace("forces", std::move(forces));
  }
  return answer;
}

}  // namespace bgw::tasks
