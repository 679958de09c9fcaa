#include "runtime/engine/cost_model.h"

#include <algorithm>

namespace bgw::engine {
namespace {

using schema::Value;

constexpr std::size_t kRemembered = 100;  // tasks of a kind; older ones ran on older code and machines

const Value* at_path(const Value& value, std::initializer_list<const char*> path) {
  const Value* here = &value;
  for (const char* name : path) {
    if (!here->is_map() || !(here = here->find(name))) return nullptr;
  }
  return here;
}

std::optional<double> number_at(const Value& value, std::initializer_list<const char*> path) {
  const Value* found = at_path(value, path);
  return found && found->is_number() ? std::optional(found->as_double()) : std::nullopt;
}

// Of the system a task works on; a model that is moved to another crystal works there.
std::optional<double> atoms_of(const Value& arguments) {
  if (const auto own = number_at(arguments, {"system", "lattice", "atoms"})) return own;
  return number_at(arguments, {"model", "to", "lattice", "atoms"});
}

std::optional<double> training_samples(const Value& arguments) {
  const Value* stages = arguments.find("stages");
  if (!stages || !stages->is_list()) return std::nullopt;
  double samples = 0;
  for (const Value& stage : stages->as_list()) {
    const auto steps = number_at(stage, {"steps"}), batch = number_at(stage, {"batch"});
    if (!steps || !batch) return std::nullopt;
    samples += *steps * *batch;
  }
  return samples;
}

std::optional<double> chain_moves(const Value& arguments) {
  const auto chains = number_at(arguments, {"sampler", "chains"}), steps = number_at(arguments, {"sampler", "steps"});
  return chains && steps ? std::optional(*chains * *steps) : std::nullopt;
}

// Of the path of a reference: its states, or the temperatures of a ladder.
std::optional<double> states_of(const Value& arguments) {
  const Value* temperatures = at_path(arguments, {"path", "temperatures"});
  return temperatures && temperatures->is_list() ? static_cast<double>(temperatures->as_list().size()) : number_at(arguments, {"path", "states"});
}

// Time over time step: of all of a run, or the frames it keeps.
std::optional<double> times_replicas(const std::optional<double>& count, const Value& arguments) {
  const auto replicas = number_at(arguments, {"replicas"});
  return count && replicas ? std::optional(*count * *replicas) : std::nullopt;
}

std::optional<double> dynamics_steps(const Value& arguments) {
  const auto before = number_at(arguments, {"equilibrate"}), kept = number_at(arguments, {"produce"}), step = number_at(arguments, {"timestep"});
  return before && kept && step && *step > 0 ? times_replicas((*before + *kept) / *step, arguments) : std::nullopt;
}

std::optional<double> dynamics_frames(const Value& arguments) {
  const auto kept = number_at(arguments, {"produce"}), every = number_at(arguments, {"every"});
  return kept && every && *every > 0 ? times_replicas(*kept / *every, arguments) : std::nullopt;
}

// "draws atoms" where the atoms are told, else "draws".
std::optional<Amount> times_atoms(const char* what, const std::optional<double>& count, const Value& arguments) {
  if (!count || *count <= 0) return std::nullopt;
  const std::optional<double> atoms = atoms_of(arguments);
  return atoms ? Amount{std::string(what) + " atoms", *count * *atoms} : Amount{what, *count};
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return 0.5 * (*middle + *std::max_element(values.begin(), middle));
}

// Of earlier tasks: the number and the amount it belongs to.
struct Observed {
  double number = 0;
  std::optional<Amount> amount;
};

}  // namespace

std::optional<Amount> amount_of_work(const std::string& kind, const Value& arguments) {
  if (kind == "train") return times_atoms("samples", training_samples(arguments), arguments);
  if (kind == "sample") return times_atoms("draws", number_at(arguments, {"count"}), arguments);
  if (kind == "md") return times_atoms("steps", dynamics_steps(arguments), arguments);
  if (kind == "reference") {
    const auto moves = chain_moves(arguments), states = states_of(arguments);
    return moves && states ? times_atoms("moves", *moves * *states, arguments) : std::nullopt;
  }
  if (kind == "base") {
    const std::string how = arguments.string_or("kind", "");
    const auto samples = how == "scha" ? number_at(arguments, {"samples"}) : std::nullopt;
    return samples ? times_atoms("scha samples", samples, arguments) : times_atoms(how == "scha" ? "scha" : "phonons", 1.0, arguments);
  }
  return std::nullopt;  // estimate and rdf work on what their inputs hold
}

std::optional<Amount> amount_of_data(const std::string& kind, const Value& arguments) {
  if (kind == "sample") return times_atoms("draws", number_at(arguments, {"count"}), arguments);
  if (kind == "md") return times_atoms("frames", dynamics_frames(arguments), arguments);
  if (kind == "reference") return times_atoms("moves", chain_moves(arguments), arguments);
  if (kind == "base") return times_atoms("modes", 1.0, arguments);
  return std::nullopt;
}

double CostModel::Fit::at(const std::optional<Amount>& amount) const {
  if (!amount) return typical;
  const auto known = per_amount.find(amount->measure);
  return known == per_amount.end() ? typical : known->second * amount->value;
}

CostModel::CostModel(const store::Cache& cache) {
  if (cache.has_records()) history_.emplace(cache.layout());
}

const CostModel::Kind& CostModel::kind(const std::string& name) {
  const auto [place, fresh] = kinds_.try_emplace(name);
  if (!fresh || !history_) return place->second;
  std::vector<Observed> seconds, core_seconds, bytes;
  for (const store::EarlierWork& earlier : history_->earlier_work(name, kRemembered)) {
    const Value preimage = schema::parse_json(earlier.preimage);
    const std::optional<Amount> work = amount_of_work(name, preimage.at("arguments"));
    seconds.push_back({earlier.seconds, work});
    core_seconds.push_back({earlier.core_seconds, work});
    if (earlier.bytes > 0) bytes.push_back({earlier.bytes, amount_of_data(name, preimage.at("arguments"))});
  }
  const auto fit = [](const std::vector<Observed>& observed) {
    Fit made;
    std::vector<double> numbers;
    std::map<std::string, std::vector<double>> ratios;
    for (const auto& [number, amount] : observed) {
      numbers.push_back(number);
      if (amount && amount->value > 0) ratios[amount->measure].push_back(number / amount->value);
    }
    if (!numbers.empty()) made.typical = median(std::move(numbers));
    for (auto& [measure, values] : ratios) made.per_amount[measure] = median(std::move(values));
    return made;
  };
  place->second = {seconds.size(), fit(seconds), fit(core_seconds), fit(bytes)};
  return place->second;
}

std::optional<CostEstimate> CostModel::estimate(const plan::TaskSpec& spec, const std::optional<Value>& done) {
  const Kind& past = kind(spec.kind);
  if (past.tasks == 0) return std::nullopt;
  const std::optional<Amount> work = amount_of_work(spec.kind, spec.arguments);
  const std::optional<Amount> saved = done ? amount_of_work(spec.kind, *done) : std::nullopt;
  double left = 1;
  if (work && saved && work->measure == saved->measure) left = std::max(0.0, 1 - saved->value / work->value);
  return CostEstimate{left * past.seconds.at(work), left * past.core_seconds.at(work),
                      past.bytes.at(amount_of_data(spec.kind, spec.arguments))};
}

std::size_t CostModel::earlier_tasks() const {
  std::size_t tasks = 0;
  for (const auto& [name, past] : kinds_) tasks += past.tasks;
  return tasks;
}

}  // namespace bgw::engine
