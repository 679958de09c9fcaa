#include "runtime/cli/saved_plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <map>
#include <set>
#include <stdexcept>

#include "compiler/plan/preimage.h"
#include "compiler/plan/sha256.h"
#include "runtime/cli/failure.h"
#include "runtime/cli/output_file.h"
#include "runtime/store/clock.h"
#include "runtime/store/durable_file.h"

namespace bgw::cli {
namespace {

using schema::List;
using schema::Map;
using schema::Value;

constexpr const char* kFormat = "bgw-plan";
constexpr std::int64_t kVersion = 1;

Value list_of(const std::vector<std::string>& texts) { return List(texts.begin(), texts.end()); }

std::vector<std::string> texts_of(const Value& list) {
  std::vector<std::string> texts;
  for (const Value& text : list.as_list()) texts.push_back(text.as_string());
  return texts;
}

// Lists and maps, each once, in the order in which they are met.
class SharedValues {
 public:
  Value place_of(const Value& value) {
    if (!value.is_list() && !value.is_map()) return value;
    const auto [same, unseen] = by_identity_.try_emplace(value.identity(), 0);
    if (unseen) same->second = place_of_text(value);
    return Map{{"value", same->second}};
  }
  List take() { return std::move(values_); }

 private:
  std::int64_t place_of_text(const Value& value) {
    const auto [known, fresh] = by_text_.try_emplace(schema::to_json(value), static_cast<std::int64_t>(values_.size()));
    if (fresh) values_.push_back(value);
    return known->second;
  }
  std::map<const void*, std::int64_t> by_identity_;
  std::map<std::string, std::int64_t> by_text_;
  List values_;
};

Value with_arguments(const Value& planned, const plan::TaskSpec& spec, SharedValues& values) {
  Map arguments, inputs;
  for (const auto& [name, value] : spec.arguments.as_map()) arguments[name] = values.place_of(value);
  for (const plan::TaskInput& input : spec.inputs) inputs[input.role] = input.key.hex();
  Map map = planned.as_map();
  map["version"] = spec.version;
  map["arguments"] = std::move(arguments);
  map["inputs"] = std::move(inputs);
  return map;
}

// What the key of a task was made of when the plan was saved.
std::string preimage_of(const Value& task, const List& values) {
  plan::TaskSpec spec;
  spec.kind = task.at("kind").as_string();
  spec.version = static_cast<int>(task.at("version").as_int());
  Map arguments;
  for (const auto& [name, value] : task.at("arguments").as_map()) {
    arguments[name] = value.is_map() ? values.at(static_cast<std::size_t>(value.at("value").as_int())) : value;
  }
  spec.arguments = std::move(arguments);
  for (const auto& [role, key] : task.at("inputs").as_map()) spec.inputs.push_back({role, plan::Key::from_hex(key.as_string())});
  return plan::preimage(spec);
}

std::string digest(const plan::CheckSpec& check) {
  Map inputs;
  for (const plan::TaskInput& input : check.inputs) inputs[input.role] = input.key.hex();
  return plan::sha256(schema::to_json(Map{{"arguments", check.arguments}, {"inputs", std::move(inputs)}})).hex();
}

Value checks_of(const plan::Plan& plan, const Selection& selection) {
  Map checks;
  for (const std::size_t check : selection.wanted.checks) {
    const plan::CheckSpec& spec = plan.checks[check];
    checks[spec.kind + "." + spec.name] = digest(spec);
  }
  return checks;
}

Value imports_of(const plan::Plan& plan, const std::filesystem::path& file) {
  List imports;
  for (const plan::Plan::Import& import : plan.imports)
    imports.push_back(Map{{"path", way_from(file, import.path).string()}, {"sha256", import.sha256}});
  return imports;
}

Value params_of(const plan::Plan& plan) {
  Map params;
  for (const auto& [name, change] : plan.overridden) params[name] = change.at("new");
  return params;
}

// Blocks of two kinds may share a name.
std::string full_name(const plan::TaskSpec& spec) { return spec.kind + "." + spec.name; }
std::string full_name(const Value& task) { return task.at("kind").as_string() + "." + task.at("name").as_string(); }

// The command that planned so.
std::string plan_command(const SelectionOptions& options) {
  std::string text = command_line("plan", options, options.targets);
  for (const auto& [option, names] : {std::pair{"--until", &options.until}, {"--only", &options.only}, {"--force", &options.force}}) {
    for (const std::string& name : *names) text += fmt::format(" {} {}", option, shell_word(name));
  }
  return text;
}

std::string short_key(const std::string& hex) { return hex.substr(0, 12); }

// The differences between a saved plan and what would be done now; those with a cause of their own come first.
class Differences {
 public:
  Differences(const SavedPlan& saved, const lowering::Program& program, const std::vector<engine::TaskStatus>& statuses)
      : saved_(saved), plan_(program.plan), statuses_(statuses) {
    for (std::size_t task = 0; task < plan_.tasks.size(); ++task) now_.emplace(full_name(plan_.tasks[task]), task);
  }

  std::vector<std::string> find(const Selection& selection) {
    const List& values = saved_.document.at("values").as_list();
    for (const Value& task : saved_.document.at("tasks").as_list()) compare(task, values);
    for (const std::size_t task : shown_tasks(plan_, selection, statuses_)) {
      const plan::TaskSpec& spec = plan_.tasks[task];
      if (!statuses_[task].cached && planned_.count(full_name(spec)) == 0)
        own_.push_back(full_name(spec) + " was not part of it");
    }
    compare_checks(checks_of(plan_, selection).as_map());
    own_.insert(own_.end(), inherited_.begin(), inherited_.end());
    return std::move(own_);
  }

 private:
  void compare(const Value& task, const List& values) {
    const std::string full = full_name(task);
    planned_.insert(full);
    const auto found = now_.find(full);
    if (found == now_.end()) return own_.push_back(fmt::format("{} is no longer there", full));
    const plan::TaskSpec& spec = plan_.tasks[found->second];
    if (spec.key.hex() == task.at("key").as_string()) {
      if (task.at("status").as_string() == "cached" && !is_there(found->second))
        own_.push_back(fmt::format("the result of {} is gone from the cache", full));
      return;
    }
    const std::vector<std::string> changes = engine::differing_fields(preimage_of(task, values), plan::preimage(spec));
    std::string line = fmt::format("{} now has key {} (was {}), ", full, spec.key.short_hex(), short_key(task.at("key").as_string()));
    if (changes.empty())
      inherited_.push_back(line + "from what it reads");
    else
      own_.push_back(line + fmt::format("{}", fmt::join(changes, ", ")));
  }

  // A task that is to be made again by force has its result all the same.
  bool is_there(std::size_t task) const { return statuses_[task].cached || statuses_[task].forced; }

  void compare_checks(const Map& now) {
    const Map& before = saved_.document.at("checks").as_map();
    for (const auto& [name, digest] : before) {
      const auto found = now.find(name);
      if (found == now.end())
        own_.push_back(fmt::format("{} is no longer there", name));
      else if (!(found->second == digest) && inherited_.empty() && own_.empty())
        own_.push_back(fmt::format("{} compares something else", name));
    }
    for (const auto& [name, digest] : now) {
      if (!before.count(name)) own_.push_back(fmt::format("{} was not part of it", name));
    }
  }

  const SavedPlan& saved_;
  const plan::Plan& plan_;
  const std::vector<engine::TaskStatus>& statuses_;
  std::map<std::string, std::size_t> now_;
  std::set<std::string> planned_;
  std::vector<std::string> own_, inherited_;
};

Value parsed(const std::string& path) {
  try {
    return schema::parse_json(store::read_bytes(path));
  } catch (const std::runtime_error& error) {
    throw CommandFailure(kWrongUse, fmt::format("{} is no saved plan: {}", path, error.what()));
  }
}

}  // namespace

SelectionOptions SavedPlan::selection(SelectionOptions options) const {
  for (const auto* given : {&options.parameters, &options.parameter_files, &options.targets, &options.until, &options.only, &options.force}) {
    if (!given->empty())
      throw CommandFailure(kWrongUse, fmt::format("{} says already what to run; plan again for something else than that", file.string()));
  }
  options.program = follow(file, document.at("program").as_string()).string();
  for (const auto& [name, text] : document.at("params").as_map())
    options.parameters.push_back(name + "=" + text.as_string());
  options.environment = false;
  options.targets = texts_of(document.at("targets"));
  options.until = texts_of(document.at("until"));
  options.only = texts_of(document.at("only"));
  options.force = texts_of(document.at("force"));
  if (options.cache.empty() && document.has("cache")) options.cache = follow(file, document.at("cache").as_string()).string();
  return options;
}

int SavedPlan::exit_code() const { return static_cast<int>(document.at("exit_code").as_int()); }

std::string SavedPlan::heading() const {
  return fmt::format("{}: saved {} by bgw {}\n", file.string(), date_text(document.at("made_us").as_int()),
                     document.at("bgw_version").as_string());
}

bool is_saved_plan(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return false;  // what is read from a pipe is gone
  std::ifstream stream(path, std::ios::binary);
  char first = 0;
  return stream && (stream >> first) && first == '{';
}

SavedPlan read_saved_plan(const std::string& path) {
  const Value document = parsed(path);
  if (!document.is_map() || document.string_or("format", "") != kFormat)
    throw CommandFailure(kWrongUse, fmt::format("{} is no saved plan: `bgw plan PROGRAM -o FILE` makes one", path));
  if (document.int_or("version", 0) > kVersion) {
    throw CommandFailure(kEnvironment, fmt::format("{} was saved by a newer bgw (format {}), this one reads {}: plan again",
                                                   path, document.int_or("version", 0), kVersion));
  }
  try {
    SavedPlan saved{path, plan_view_from(document), document};
    saved.selection({});
    saved.heading();
    return saved;
  } catch (const std::logic_error& error) {
    throw CommandFailure(kWrongUse, fmt::format("{} is a damaged plan ({}): plan again", path, error.what()));
  }
}

void save_plan(const std::filesystem::path& file, const lowering::Program& program, const SelectionOptions& options,
               const Selection& selection, const PlanView& view) {
  const plan::Plan& plan = program.plan;
  std::map<std::string, const plan::TaskSpec*> specs;
  for (const plan::TaskSpec& spec : plan.tasks) specs.emplace(full_name(spec), &spec);
  Map document = to_map(view);
  SharedValues values;
  List tasks;
  for (const Value& task : document.at("tasks").as_list())
    tasks.push_back(with_arguments(task, *specs.at(full_name(task)), values));
  document["format"] = kFormat;
  document["version"] = kVersion;
  document["bgw_version"] = BGW_VERSION;
  document["made_us"] = store::now_in_microseconds();
  document["program"] = way_from(file, options.program).string();
  document["program_sha256"] = plan.program_sha256;
  document["imports"] = imports_of(plan, file);
  document["params"] = params_of(plan);
  document["targets"] = list_of(options.targets);
  document["until"] = list_of(options.until);
  document["only"] = list_of(options.only);
  document["force"] = list_of(options.force);
  document["cache"] = options.cache.empty() ? Value() : Value(way_from(file, options.cache).string());
  document["checks"] = checks_of(plan, selection);
  document["exit_code"] = view.to_run() > 0 ? kThereIsWork : kDone;
  document["tasks"] = std::move(tasks);
  document["values"] = values.take();
  write_output(file, schema::to_json(document) + "\n", plan);
}

void refuse_stale(const SavedPlan& saved, const lowering::Program& program, const SelectionOptions& options, const Selection& selection,
                  const std::vector<engine::TaskStatus>& statuses) {
  constexpr std::size_t kShown = 5;
  const std::vector<std::string> differences = Differences(saved, program, statuses).find(selection);
  if (differences.empty()) return;
  const auto end = differences.begin() + static_cast<std::ptrdiff_t>(std::min(kShown, differences.size()));
  throw CommandFailure(
      kRefused, fmt::format("plan is stale: {}{}; plan again with `{} -o {}`",
                            fmt::join(differences.begin(), end, ";\n  "),
                            differences.size() > kShown ? fmt::format(";\n  and {} more", differences.size() - kShown) : "",
                            plan_command(options), shell_word(saved.file.string())));
}

}  // namespace bgw::cli
