#include "runtime/store/manifest.h"

#include <limits>
#include <stdexcept>

#include "compiler/plan/sha256.h"

namespace bgw::store {
namespace {

using schema::List;
using schema::Map;
using schema::Value;

Map files_value(const std::map<std::string, Manifest::File>& files) {
  Map map;
  for (const auto& [name, file] : files) {
    map[name] = Map{{"bytes", static_cast<std::int64_t>(file.bytes)}, {"sha256", file.sha256.hex()}};
  }
  return map;
}

Map inputs_value(const std::map<std::string, plan::Key>& inputs) {
  Map map;
  for (const auto& [role, key] : inputs) map[role] = key.hex();
  return map;
}

Map cost_value(const artifacts::Cost& cost) {
  return {{"energy_calls", cost.energy_calls},
          {"gradient_calls", cost.gradient_calls},
          {"hessian_calls", cost.hessian_calls},
          {"seconds", cost.seconds}};
}

Map provenance_value(const Provenance& provenance) {
  Map map{{"bgw", provenance.bgw_version}, {"host", provenance.host},       {"device", provenance.device},
          {"cpus", provenance.cpus},       {"started", provenance.started}, {"ended", provenance.ended},
          {"libraries", provenance.libraries}};
  if (provenance.extended_from) map["extended_from"] = provenance.extended_from->hex();
  return map;
}

artifacts::Cost cost_from(const Value& value) {
  return {value.at("energy_calls").as_int(), value.at("gradient_calls").as_int(), value.at("hessian_calls").as_int(),
          value.at("seconds").as_double()};
}

Provenance provenance_from(const Value& value) {
  Provenance provenance;
  provenance.bgw_version = value.at("bgw").as_string();
  provenance.host = value.at("host").as_string();
  provenance.device = value.at("device").as_string();
  provenance.cpus = static_cast<int>(value.at("cpus").as_int());
  provenance.started = value.at("started").as_int();
  provenance.ended = value.at("ended").as_int();
  provenance.libraries = value.at("libraries").as_map();
  if (value.has("extended_from")) provenance.extended_from = plan::Key::from_hex(value.at("extended_from").as_string());
  return provenance;
}

Map members(const Manifest& manifest) {
  return {{"format", 1},
          {"key", manifest.key.hex()},
          {"name", manifest.name},
          {"kind", manifest.kind},
          {"version", manifest.version},
          {"preimage", manifest.preimage},
          {"inputs", inputs_value(manifest.inputs)},
          {"files", files_value(manifest.files)},
          {"results", to_value(manifest.results)},
          {"cost", cost_value(manifest.cost)},
          {"provenance", provenance_value(manifest.provenance)}};
}

Manifest manifest_from(const Value& value) {
  Manifest manifest;
  manifest.key = plan::Key::from_hex(value.at("key").as_string());
  manifest.name = value.at("name").as_string();
  manifest.kind = value.at("kind").as_string();
  manifest.version = static_cast<int>(value.at("version").as_int());
  manifest.preimage = value.at("preimage").as_string();
  for (const auto& [role, key] : value.at("inputs").as_map()) manifest.inputs[role] = plan::Key::from_hex(key.as_string());
  for (const auto& [name, file] : value.at("files").as_map()) {
    manifest.files[name] = {static_cast<std::uint64_t>(file.at("bytes").as_int()),
                            plan::Key::from_hex(file.at("sha256").as_string())};
  }
  manifest.results = results_from(value.at("results"));
  manifest.cost = cost_from(value.at("cost"));
  manifest.provenance = provenance_from(value.at("provenance"));
  return manifest;
}

}  // namespace

const artifacts::Result* Manifest::find_result(const std::string& result_name) const {
  for (const artifacts::Result& result : results) {
    if (result.name == result_name) return &result;
  }
  return nullptr;
}

std::string to_json(const Manifest& manifest) {
  Map all = members(manifest);
  const std::string checksum = plan::sha256(schema::to_json(all)).hex();
  all["sha256"] = checksum;
  return schema::to_pretty_json(all) + "\n";
}

Manifest parse_manifest(const std::string& text) {
  try {
    Map all = schema::parse_json(text).as_map();
    const Value checksum = all["sha256"];
    all.erase("sha256");
    if (!checksum.is_string() || checksum.as_string() != plan::sha256(schema::to_json(all)).hex()) {
      throw std::runtime_error("its checksum does not fit");
    }
    return manifest_from(all);
  } catch (const std::logic_error& error) {
    throw std::runtime_error(error.what());
  }
}

Value to_value(const std::vector<artifacts::Result>& results) {
  List list;
  for (const artifacts::Result& result : results) {
    Map map{{"name", result.name}, {"value", artifacts::number_or_none(result.value)}, {"unit", result.unit}};
    if (result.sigma) map["sigma"] = artifacts::number_or_none(*result.sigma);
    if (result.n) map["n"] = *result.n;
    if (!result.convention.empty()) map["convention"] = result.convention;
    list.emplace_back(std::move(map));
  }
  return list;
}

std::vector<artifacts::Result> results_from(const Value& value) {
  constexpr double kNotFinite = std::numeric_limits<double>::quiet_NaN();
  std::vector<artifacts::Result> results;
  for (const Value& item : value.as_list()) {
    artifacts::Result result;
    result.name = item.at("name").as_string();
    result.value = item.number_or("value", kNotFinite);
    result.unit = item.at("unit").as_string();
    if (item.find("sigma") != nullptr) result.sigma = item.number_or("sigma", kNotFinite);
    if (item.has("n")) result.n = item.at("n").as_int();
    result.convention = item.string_or("convention", "");
    results.push_back(std::move(result));
  }
  return results;
}

}  // namespace bgw::store
