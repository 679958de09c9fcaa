#include "compiler/lowering/build_program.h"

#include <algorithm>
#include <cstring>
#include <set>

#include <fmt/format.h>

#include "compiler/lowering/role_writer.h"
#include "compiler/plan/sha256.h"

namespace bgw::lowering {
namespace {

using schema::List;
using schema::Makes;
using schema::Map;
using schema::Value;
using semantics::Instance;

constexpr double kSecondsPerFemtosecond = 1e-15;
constexpr double kMostBytes = 9e18;  // of an int

bool is_work(const Instance& instance) {
  const Makes makes = instance.kind->makes;
  return makes == Makes::task || makes == Makes::inline_task || makes == Makes::check;
}

/// Durations in seconds, memory in whole bytes.
Value policy_of(const Map& resolved) {
  Map policy = resolved;
  const auto in_seconds = [](Map& map, const char* from, const char* to) {
    const auto found = map.find(from);
    if (found == map.end()) return;
    const Value value = found->second;
    map.erase(found);
    if (value.is_number()) map[to] = value.as_double() * kSecondsPerFemtosecond;
  };
  in_seconds(policy, "walltime", "walltime");
  if (const auto memory = policy.find("memory"); memory != policy.end()) {
    if (memory->second.is_number()) memory->second = static_cast<std::int64_t>(std::min(memory->second.as_double(), kMostBytes));
    else policy.erase(memory);
  }
  for (const auto& [block, from, to] : {std::tuple{"checkpoint", "every", "every_s"}, std::tuple{"retry", "backoff", "backoff_s"}}) {
    const auto found = policy.find(block);
    if (found == policy.end()) continue;
    Map members = found->second.as_map();
    in_seconds(members, from, to);
    found->second = std::move(members);
  }
  return policy;
}

struct KeyHash {
  std::size_t operator()(const plan::Key& key) const {
    std::size_t bits = 0;
    std::memcpy(&bits, key.bytes.data(), sizeof bits);
    return bits;
  }
};

class Builder {
 public:
  Builder(const semantics::Model& model, const source::SourceMap& sources) : model_(model) {
    plan::Plan& plan = program_.plan;
    plan.program = sources.main().path();
    plan.program_sha256 = plan::sha256(sources.main().text()).hex();
    for (const source::SourceFile& file : sources.files()) {
      if (&file != &sources.main()) plan.imports.push_back({file.path(), plan::sha256(file.text()).hex()});
    }
    for (const auto& [path, bytes] : model.files) {
      if (bytes) plan.imports.push_back({path, plan::sha256(*bytes).hex()});
    }
    for (const auto& [path, hash] : model.hashes) plan.imports.push_back({path, hash});
    plan.overridden = model.overridden;
    program_.params = model.params;
    program_.docs = model.docs;
    program_.axes = model.axes;
    plan.tasks.reserve(model.instances.size());
    task_of_key_.reserve(model.instances.size());
    task_of_.assign(model.instances.size(), kNone);
    check_of_.assign(model.instances.size(), kNone);
    for (const Instance& instance : model.instances) {
      if (instance.kind->makes == Makes::value) schema::remember_json(instance.arguments, texts_);
    }
  }

  Program build() {
    for (const Instance& instance : model_.instances) {
      if (instance.kind->makes != Makes::check && is_work(instance)) add_task(instance);
    }
    for (const Instance& instance : model_.instances) {
      if (instance.kind->makes == Makes::check) add_check(instance);
      if (instance.kind->makes == Makes::value) add_value(instance);
    }
    program_.instances.reserve(model_.instances.size());
    for (const Instance& instance : model_.instances) add_name(instance);
    add_targets();
    return std::move(program_);
  }

 private:
  static constexpr std::size_t kNone = ~std::size_t{0};
  static std::size_t place(const Instance& instance) { return static_cast<std::size_t>(instance.number); }

  /// Adds the tasks it reads first, so the plan is in an order in which it can run.
  std::size_t add_task(const Instance& instance) {
    std::size_t& task = task_of_[place(instance)];
    if (task != kNone) return task;
    plan::TaskSpec spec;
    spec.name = instance.name;
    spec.kind = instance.kind->noun;
    spec.version = instance.kind->version;
    spec.placement = instance.kind->makes == Makes::inline_task ? plan::Placement::inline_ : plan::Placement::child;
    spec.policy = policy_of_task(instance);
    spec.presentation = presentation_of(instance);
    spec.later = instance.traits.later;
    RoleWriter roles(spec.placement == plan::Placement::inline_, texts_);
    spec.arguments = roles.rewrite(instance.arguments);
    spec.inputs = inputs_of(roles);
    add_keys(spec);
    const auto [same, fresh] = task_of_key_.emplace(spec.key, program_.plan.tasks.size());
    if (fresh) program_.plan.tasks.push_back(std::move(spec));
    else program_.plan.tasks[same->second].also_named.push_back(instance.name);
    return task = same->second;
  }

  std::vector<plan::TaskInput> inputs_of(const RoleWriter& roles) {
    std::vector<plan::TaskInput> inputs;
    for (const auto& [role, number] : roles.tasks()) {
      const std::size_t task = add_task(model_.instances[static_cast<std::size_t>(number)]);
      inputs.push_back({role, program_.plan.tasks[task].key, task});
    }
    return inputs;
  }

  /// The text of plan::preimage() into text_; for the stream key without the lengths, with the stream keys of the inputs.
  /// @return true when the text for the stream is another one
  bool write_preimage(const plan::TaskSpec& spec, bool stream) {
    bool differs = false;
    text_.assign("{\"arguments\":");
    if (stream) differs = append_without_lengths(text_, spec.arguments, texts_);
    else schema::append_json(text_, spec.arguments, texts_);
    text_ += ",\"inputs\":{";
    for (const plan::TaskInput& input : spec.inputs) {
      if (text_.back() != '{') text_ += ',';
      schema::append_json(text_, input.role, texts_);
      const plan::TaskSpec& upstream = program_.plan.tasks[input.task];
      differs = differs || upstream.stream_key != upstream.key;
      text_ += ":\"";
      text_ += (stream ? upstream.stream_key : upstream.key).hex();
      text_ += '"';
    }
    text_ += "},\"kind\":";
    schema::append_json(text_, spec.kind, texts_);
    text_ += ",\"record\":\"bgw-key/1\",\"version\":";
    text_ += std::to_string(spec.version);
    text_ += '}';
    return differs;
  }

  void add_keys(plan::TaskSpec& spec) {
    write_preimage(spec, false);
    spec.key = plan::sha256(text_);
    spec.stream_key = write_preimage(spec, true) ? plan::sha256(text_) : spec.key;
  }

  /// Members of a family mostly have one policy; they share it.
  Value policy_of_task(const Instance& instance) {
    if (instance.policy.is_none()) return no_policy_;
    if (instance.policy != last_policy_) {
      last_policy_ = instance.policy;
      last_policy_made_ = policy_of(instance.policy.as_map());
    }
    return last_policy_made_;
  }

  Value presentation_of(const Instance& instance) {
    const semantics::Traits& traits = instance.traits;
    const auto describes = [&](const Instance& other) {
      return other.kind == instance.kind && other.block == instance.block && other.traits.energy_unit == traits.energy_unit && other.traits.length_unit == traits.length_unit;
    };
    if (!last_presented_ || !describes(*last_presented_)) {
      last_presented_ = &instance;
      last_presentation_made_ = Map{{"noun", instance.kind->noun}, {"block", instance.block}, {"energy_unit", traits.energy_unit}, {"length_unit", traits.length_unit}};
    }
    if (instance.files.empty()) return last_presentation_made_;
    Map with_files = last_presentation_made_.as_map(), files;
    for (const auto& [attribute, path] : instance.files) files[attribute] = path;
    with_files["files"] = std::move(files);
    return with_files;
  }

  void add_check(const Instance& instance) {
    plan::CheckSpec check;
    check.name = instance.name;
    check.kind = instance.kind->noun;
    RoleWriter roles(true, texts_);
    check.arguments = roles.rewrite(instance.arguments);
    check.inputs = inputs_of(roles);
    check_of_[place(instance)] = program_.plan.checks.size();
    program_.plan.checks.push_back(std::move(check));
  }

  void add_value(const Instance& instance) {
    for (const std::string& name : {instance.name, instance.kind->noun + "." + instance.name}) {
      if (!program_.values.emplace(name, instance.arguments).second) continue;
      program_.presentations[name] = presentation_of(instance);
    }
  }

  void add_name(const Instance& instance) {
    NamedInstance named{instance.kind->noun, instance.block, instance.name, {}, {}, {}};
    // `rdf(draws[64])` keeps the indices of what it is made of for show; its own name has none.
    if (instance.axes && instance.name.starts_with(instance.block + "[")) {
      for (std::size_t i = 0; i < instance.indices.size(); ++i) named.indices.emplace_back((*instance.axes)[i].axis, instance.indices[i].text);
    }
    if (const std::size_t task = task_of_[place(instance)]; task != kNone) named.task = task;
    if (const std::size_t check = check_of_[place(instance)]; check != kNone) named.check = check;
    program_.blocks[instance.block].push_back(program_.instances.size());
    program_.instances.push_back(std::move(named));
  }

  void add_targets() {
    const bool has_default = std::any_of(model_.targets.begin(), model_.targets.end(), [](const auto& target) { return target.name == "default"; });
    if (!has_default) add_sinks();
    for (const auto& target : model_.targets) {
      program_.plan.targets[target.name];
      for (const Instance* instance : target.wanted) {
        if (const std::size_t task = task_of_[place(*instance)]; task != kNone) program_.plan.targets[target.name].push_back(task);
        if (const std::size_t check = check_of_[place(*instance)]; check != kNone) program_.plan.target_checks[target.name].push_back(check);
      }
    }
    for (auto* targets : {&program_.plan.targets, &program_.plan.target_checks}) {
      for (auto& [name, indices] : *targets) {
        std::sort(indices.begin(), indices.end());
        indices.erase(std::unique(indices.begin(), indices.end()), indices.end());
      }
    }
  }

  /// Without a target, what nothing else reads is wanted, and every check.
  void add_sinks() {
    std::vector<bool> read(program_.plan.tasks.size(), false);
    for (const auto& task : program_.plan.tasks) {
      for (const auto& input : task.inputs) read[input.task] = true;
    }
    auto& tasks = program_.plan.targets["default"];
    for (std::size_t i = 0; i < read.size(); ++i) {
      if (!read[i]) tasks.push_back(i);
    }
    for (std::size_t i = 0; i < program_.plan.checks.size(); ++i) program_.plan.target_checks["default"].push_back(i);
  }

  const semantics::Model& model_;
  Program program_;
  schema::JsonTexts texts_;  // of value blocks, which many tasks hold
  std::string text_;         // of the key being made
  std::vector<std::size_t> task_of_, check_of_;  // by the number of the instance
  std::unordered_map<plan::Key, std::size_t, KeyHash> task_of_key_;
  Value no_policy_ = Map{}, last_policy_, last_policy_made_, last_presentation_made_;
  const Instance* last_presented_ = nullptr;
};

}  // namespace

Program build_program(const semantics::Model& model, const source::SourceMap& sources) { return Builder(model, sources).build(); }

}  // namespace bgw::lowering
