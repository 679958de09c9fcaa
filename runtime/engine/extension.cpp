#include "runtime/engine/extension.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "runtime/foundation/errors.h"

namespace bgw::engine {
namespace {

using schema::List;
using schema::Map;
using schema::Value;

bool same_inputs(const plan::TaskSpec& a, const plan::TaskSpec& b) {
  return std::equal(a.inputs.begin(), a.inputs.end(), b.inputs.begin(), b.inputs.end(),
                    [](const plan::TaskInput& x, const plan::TaskInput& y) { return x.role == y.role && x.key == y.key; });
}

Value with(const Value& map, const std::string& member, Value value) {
  Map changed = map.as_map();
  changed[member] = std::move(value);
  return changed;
}

const Value& last_stage(const Value& arguments) { return arguments.at("stages").as_list().back(); }

// As the key sees them: by their text.
bool same(const Value& a, const Value& b) { return schema::to_json(a) == schema::to_json(b); }

// The arguments of a training with another number of steps in its last stage.
Value with_last_steps(const Value& arguments, std::int64_t steps) {
  List stages = arguments.at("stages").as_list();
  stages.back() = with(stages.back(), "steps", steps);
  return with(arguments, "stages", std::move(stages));
}

std::int64_t steps_of_all_stages(const Value& arguments) {
  std::int64_t steps = 0;
  for (const Value& stage : arguments.at("stages").as_list()) steps += stage.at("steps").as_int();
  return steps;
}

// Attributes of which it is known that no step of a stage learns from them how long the stage is. Whatever comes to
// stages later has to be looked at before it may stand here.
bool knows_no_total(const Value& stage) {
  constexpr std::array<std::string_view, 12> kKnown = {"name",      "loss",    "steps",     "batch",
                                                       "learning_rate", "data", "linearize_below", "grad_clip",
                                                       "optimizer", "average", "until_ess", "until_error"};
  const Map& members = stage.as_map();
  const Value* rate = stage.find("learning_rate");
  const bool steady = rate != nullptr && (rate->is_number() || rate->at("call").as_string() == "decay");
  return steady && std::all_of(members.begin(), members.end(), [&](const auto& member) {
           return member.second.is_none() || std::find(kKnown.begin(), kKnown.end(), member.first) != kKnown.end();
         });
}

std::optional<Extension> longer_sample(const plan::TaskSpec& finished, const plan::TaskSpec& wanted) {
  const std::int64_t from = finished.arguments.at("count").as_int();
  const std::int64_t to = wanted.arguments.at("count").as_int();
  if (to <= from || !same(with(finished.arguments, "count", to), wanted.arguments)) return std::nullopt;
  return Extension{finished.key, "count", from, to, from};
}

std::optional<Extension> longer_training(const plan::TaskSpec& finished, const plan::TaskSpec& wanted) {
  const std::int64_t from = last_stage(finished.arguments).at("steps").as_int();
  const std::int64_t to = last_stage(wanted.arguments).at("steps").as_int();
  if (to <= from || !same(with_last_steps(finished.arguments, to), wanted.arguments)) return std::nullopt;
  return Extension{finished.key, fmt::format("stage {}.steps", last_stage(wanted.arguments).at("name").as_string()), from, to,
                   steps_of_all_stages(finished.arguments)};
}

// Trainings of before there were such files, or of a schedule, lack the state to go on from.
bool holds_what_it_takes(const store::Manifest& manifest) {
  return manifest.kind != "train" || manifest.files.contains(kStateFile);
}

}  // namespace

std::string Extension::text() const { return fmt::format("{} {} -> {}: extends finished work", length, from, to); }

bool can_be_extended(const plan::TaskSpec& spec) {
  if (spec.kind == "sample") return spec.arguments.has("count");
  return spec.kind == "train" && spec.arguments.has("stages") && !spec.arguments.at("stages").as_list().empty() &&
         knows_no_total(last_stage(spec.arguments));
}

std::optional<Extension> extension_of(const plan::TaskSpec& finished, const plan::TaskSpec& wanted) {
  if (finished.kind != wanted.kind || finished.version != wanted.version || !same_inputs(finished, wanted)) return std::nullopt;
  if (!can_be_extended(finished) || !can_be_extended(wanted)) return std::nullopt;
  return wanted.kind == "sample" ? longer_sample(finished, wanted) : longer_training(finished, wanted);
}

std::optional<Extension> find_extension(const plan::TaskSpec& wanted, store::Cache& cache) {
  if (!cache.has_records() || !can_be_extended(wanted)) return std::nullopt;
  std::optional<Extension> longest;
  for (const plan::Key& key : cache.records().finished_with_stream(wanted.stream_key, wanted.kind, wanted.version)) {
    try {
      const std::optional<store::Manifest> manifest = cache.manifest(key);
      if (!manifest || !holds_what_it_takes(*manifest)) continue;
      const std::optional<Extension> found = extension_of(cache.objects().task(key), wanted);
      if (found && (!longest || found->step > longest->step)) longest = found;
    } catch (const StoreError&) {
      // a damaged or unreadable object: something for `cache verify`, nothing to go on from
    }
  }
  return longest;
}

}  // namespace bgw::engine
