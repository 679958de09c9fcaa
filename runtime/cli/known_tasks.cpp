#include "runtime/cli/known_tasks.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "compiler/plan/preimage.h"
#include "runtime/catalog/builtin_catalog.h"
#include "runtime/cli/failure.h"
#include "runtime/cli/field_text.h"
#include "runtime/foundation/errors.h"

namespace bgw::cli {
namespace {

constexpr int kCandidates = 20;     // keys named for a prefix that fits several
constexpr std::size_t kLeast = 4;   // digits of a prefix
constexpr std::size_t kDigits = 64; // of a key

bool is_hex(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isxdigit(c) != 0; });
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

schema::Value presentation_of(const store::Cache& cache, const plan::Key& key) {
  try {
    return cache.objects().task(key).presentation;
  } catch (const StoreError&) {
    return {};  // no object: units as usual
  }
}

const schema::Catalog& catalog() {
  static const schema::Catalog built = catalog::builtin_catalog();
  return built;
}

}  // namespace

KnownTasks::KnownTasks(const lowering::Program* program, store::Cache& cache) : program_(program), cache_(cache) {
  if (cache.has_records()) history_ = std::make_unique<store::RunHistory>(cache.layout().database());
  if (!program) return;
  for (std::size_t task = 0; task < program->plan.tasks.size(); ++task) planned_.emplace(program->plan.tasks[task].key, task);
}

std::optional<KnownTask> KnownTasks::find(const plan::Key& key) {
  if (const auto planned = planned_.find(key); planned != planned_.end()) {
    const plan::TaskSpec& spec = program_->plan.tasks[planned->second];
    return KnownTask{key, spec.name, spec.kind, plan::preimage(spec), spec.presentation, planned->second};
  }
  if (history_) {
    if (auto row = history_->kind_and_preimage(key))
      return KnownTask{key, last_plan(key).value_or(store::LastPlan{}).name, row->first, row->second, presentation_of(cache_, key), std::nullopt};
  }
  if (const std::optional<store::Manifest> manifest = cache_.manifest(key))
    return KnownTask{key, manifest->name, manifest->kind, manifest->preimage, presentation_of(cache_, key), std::nullopt};
  return std::nullopt;
}

std::optional<store::LastPlan> KnownTasks::last_plan(const plan::Key& key) {
  if (!history_) return std::nullopt;
  if (!last_plans_) last_plans_ = history_->last_plans();
  const auto found = last_plans_->find(key);
  return found == last_plans_->end() ? std::nullopt : std::optional(found->second);
}

KnownTask KnownTasks::get(const plan::Key& key) {
  std::optional<KnownTask> known = find(key);
  if (known) return *std::move(known);
  throw StoreError(fmt::format("nothing is known of key {}: its object is damaged, and no run that is remembered planned it; `bgw cache verify` tells more",
                               key.short_hex()));
}

std::vector<plan::Key> KnownTasks::with_prefix(const std::string& digits) {
  std::set<plan::Key> keys;
  for (const auto& [key, task] : planned_) {
    if (key.hex().starts_with(digits)) keys.insert(key);
  }
  if (history_) {
    for (const plan::Key& key : history_->with_prefix(digits, kCandidates)) keys.insert(key);
  }
  std::error_code none;
  for (const auto& object : std::filesystem::directory_iterator(cache_.layout().objects() / digits.substr(0, 2), none)) {
    const std::string name = object.path().filename().string();
    if (name.size() == kDigits && is_hex(name) && name.starts_with(digits)) keys.insert(plan::Key::from_hex(name));
  }
  return {keys.begin(), keys.end()};
}

std::vector<plan::Key> KnownTasks::named(const std::string& text) {
  std::string problem = fmt::format("`{}` is no key: give its digits, {} of them at least, or a program and a name", text, kLeast);
  if (program_) {
    const lowering::Found found = lowering::find_instances(*program_, text);
    std::vector<plan::Key> keys;
    for (const std::size_t task : found.tasks) keys.push_back(program_->plan.tasks[task].key);
    if (!keys.empty()) return keys;
    problem = found.problem.empty() ? fmt::format("`{}` names no task: only tasks have keys", text) : found.problem;
  }
  if (!is_hex(text) || text.size() < kLeast || text.size() > kDigits) throw CommandFailure(kWrongProgram, problem);
  const std::vector<plan::Key> keys = with_prefix(lower(text));
  if (keys.empty()) throw CommandFailure(kWrongProgram, program_ ? problem : fmt::format("no key in {} begins with {}", cache_.root().string(), text));
  if (keys.size() == 1) return keys;
  std::vector<std::string> candidates;
  for (const plan::Key& key : keys) {
    const std::optional<KnownTask> known = find(key);
    candidates.push_back(fmt::format("{} ({})", key.hex().substr(0, text.size() + 8), known ? known->called() : "unknown"));
  }
  throw CommandFailure(kWrongProgram, fmt::format("{} keys begin with {}: {}", keys.size(), text, fmt::join(candidates, ", ")));
}

plan::Key KnownTasks::one(const std::string& text) {
  const std::vector<plan::Key> keys = named(text);
  if (keys.size() == 1) return keys.front();
  std::vector<std::string> names;
  for (std::size_t i = 0; i < std::min<std::size_t>(3, keys.size()); ++i) names.push_back(get(keys[i]).called());
  throw CommandFailure(kWrongProgram, fmt::format("`{}` names {} tasks, {}{}: give one", text, keys.size(), fmt::join(names, ", "),
                                                  keys.size() > names.size() ? ", …" : ""));
}

std::vector<ShownChange> shown_changes(const engine::Comparison& comparison, const KnownTask& before, const KnownTask& now) {
  if (comparison.fields.empty()) return {};
  const FieldText old_text(catalog(), before.kind, engine::fields_of(before.preimage), before.presentation);
  const FieldText new_text(catalog(), now.kind, engine::fields_of(now.preimage),
                           now.presentation.is_none() ? before.presentation : now.presentation);
  std::vector<ShownChange> changes;
  for (const engine::FieldChange& change : comparison.fields) {
    ShownChange shown{engine::shown_place(change.place), old_text.at(change.place), new_text.at(change.place)};
    if (shown.before == shown.now) {  // they differ in digits or in type that the short form does not show
      shown.before = schema::to_json(change.before);
      shown.now = schema::to_json(change.now);
    }
    changes.push_back(std::move(shown));
  }
  return changes;
}

std::string to_text(const ShownChange& change) { return fmt::format("{} {} -> {}", change.place, change.before, change.now); }

schema::Value to_value(const std::vector<ShownChange>& changes) {
  schema::List list;
  for (const ShownChange& change : changes)
    list.push_back(schema::Map{{"field", change.place}, {"before", change.before}, {"now", change.now}});
  return list;
}

}  // namespace bgw::cli
