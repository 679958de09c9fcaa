#include "runtime/store/task_json.h"

#include <stdexcept>

#include "compiler/plan/preimage.h"

namespace bgw::store {
namespace {

using schema::List;
using schema::Map;
using schema::Value;

Value inputs_value(const std::vector<plan::TaskInput>& inputs) {
  List list;
  for (const plan::TaskInput& input : inputs) list.emplace_back(Map{{"role", input.role}, {"key", input.key.hex()}});
  return list;
}

plan::TaskSpec spec_from(const Value& value) {
  plan::TaskSpec spec;
  spec.name = value.at("name").as_string();
  spec.kind = value.at("kind").as_string();
  spec.version = static_cast<int>(value.at("version").as_int());
  spec.placement = value.at("placement").as_string() == "inline" ? plan::Placement::inline_ : plan::Placement::child;
  spec.arguments = value.at("arguments");
  for (const Value& input : value.at("inputs").as_list()) {
    spec.inputs.push_back({input.at("role").as_string(), plan::Key::from_hex(input.at("key").as_string()), 0});
  }
  spec.policy = value.at("policy");
  spec.presentation = value.at("presentation");
  spec.key = plan::Key::from_hex(value.at("key").as_string());
  spec.stream_key = plan::Key::from_hex(value.at("stream_key").as_string());
  for (const Value& name : value.at("also_named").as_list()) spec.also_named.push_back(name.as_string());
  return spec;
}

template <class Read>
auto described(const Read& read) {
  try {
    return read();
  } catch (const std::logic_error& error) {
    throw std::runtime_error(std::string("not the description of a task: ") + error.what());
  }
}

}  // namespace

std::string to_json(const plan::TaskSpec& spec, const std::optional<plan::Key>& extends) {
  const List also_named(spec.also_named.begin(), spec.also_named.end());
  Map members{{"name", spec.name},
              {"kind", spec.kind},
              {"version", spec.version},
              {"placement", spec.placement == plan::Placement::inline_ ? "inline" : "child"},
              {"arguments", spec.arguments},
              {"inputs", inputs_value(spec.inputs)},
              {"policy", spec.policy},
              {"presentation", spec.presentation},
              {"preimage", plan::preimage(spec)},
              {"key", spec.key.hex()},
              {"stream_key", spec.stream_key.hex()},
              {"also_named", also_named}};
  if (extends) members["extends"] = extends->hex();
  return schema::to_pretty_json(std::move(members)) + "\n";
}

plan::TaskSpec parse_task(const std::string& text) {
  return described([&] { return spec_from(schema::parse_json(text)); });
}

std::optional<plan::Key> extended_work(const std::string& text) {
  return described([&]() -> std::optional<plan::Key> {
    const Value value = schema::parse_json(text);
    if (!value.has("extends")) return std::nullopt;
    return plan::Key::from_hex(value.at("extends").as_string());
  });
}

}  // namespace bgw::store
