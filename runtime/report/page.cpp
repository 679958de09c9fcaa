#include "runtime/report/page.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <kainjow/mustache.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <optional>

#include "runtime/engine/task_inputs.h"
#include "runtime/inline_tasks/task_results.h"
#include "runtime/inline_tasks/verdict.h"
#include "runtime/report/doc_comments.h"
#include "runtime/report/figure_svg.h"
#include "runtime/report/graph_svg.h"
#include "runtime/report/histogram.h"
#include "runtime/report/number_format.h"
#include "runtime/report/page_template.h"
#include "runtime/report/program_units.h"

namespace bgw::report {
namespace {

using kainjow::mustache::data;
using schema::List;
using schema::Map;
using schema::Value;

data list_of_data() { return data(data::type::list); }

// Fields of one entry; an empty text counts as absent, so that {{#x}} leaves its place out.
class Entry {
 public:
  Entry& set(const std::string& name, const std::string& text) {
    if (text.empty())
      fields_.set(name, data(false));
    else
      fields_.set(name, text);
    return *this;
  }
  Entry& set(const std::string& name, const char* text) { return set(name, std::string(text)); }
  Entry& flag(const std::string& name, bool value) {
    fields_.set(name, data(value));
    return *this;
  }
  Entry& set(const std::string& name, data value) {
    fields_.set(name, std::move(value));
    return *this;
  }
  data take() { return std::move(fields_); }

 private:
  data fields_;
};

std::string number_text(const Value& number) {
  if (!number.is_map())
    return number.is_string() ? number.as_string()
           : number.is_bool() ? (number.as_bool() ? "yes" : "no")
                              : schema::to_json(number);
  if (!number.has("value")) return "no number";
  std::optional<double> sigma;
  if (number.has("sigma")) sigma = number.at("sigma").as_double();
  return format_result(number.at("value").as_double(), sigma);
}

std::string utc(std::int64_t microseconds) {
  return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(static_cast<std::time_t>(microseconds / 1'000'000)));
}

// All that the parts of the page are made from.
struct Material {
  const PageRequest& request;
  store::Cache& cache;
  std::vector<bool> missing;                         // one entry a task of the plan
  std::map<std::size_t, store::Manifest> manifests;  // of child tasks that are there
  mutable std::vector<std::string> problems;         // what of the cache could not be read
  std::map<std::string, std::string> docs;           // "train bg" -> its text
  std::string lead;

  const plan::TaskSpec& spec(std::size_t task) const { return request.plan.tasks[task]; }
  std::string doc(const plan::TaskSpec& task) const {
    const std::string block = task.presentation.is_map() ? task.presentation.string_or("block", task.name) : task.name;
    const auto found = docs.find(task.kind + " " + block);
    return found == docs.end() ? "" : found->second;
  }
};

Material gather(const PageRequest& request, store::Cache& cache) {
  Material material{request, cache, std::vector<bool>(request.plan.tasks.size()), {}, {}, {}, {}};
  for (const std::size_t task : request.tasks) {
    const plan::TaskSpec& spec = request.plan.tasks[task];
    material.missing[task] = !cache.has_result(spec);
    if (material.missing[task] || spec.placement != plan::Placement::child) continue;
    if (std::optional<store::Manifest> manifest = cache.manifest(spec.key))
      material.manifests.emplace(task, *std::move(manifest));
    else
      material.missing[task] = true;
  }
  for (const DocComment& comment : doc_comments(request.program_text)) {
    if (comment.subject.empty())
      material.lead = comment.text;
    else
      material.docs[comment.subject] = comment.text;
  }
  return material;
}

// The arrays of a finished task; a damaged object costs its pictures, not the page.
std::optional<artifacts::Artifact> load(const Material& material, const store::Manifest& manifest) {
  try {
    return material.cache.objects().load(manifest.key);
  } catch (const std::exception& error) {
    material.problems.emplace_back(error.what());
    return std::nullopt;
  }
}

// A drawing, or why there is none: other parts of the page do not suffer.
data drawing(const Value& figure) {
  Entry entry;
  try {
    entry.set("svg", draw_svg(figure));
  } catch (const std::exception& error) {
    entry.set("svg", "").set("problem", error.what());
  }
  return entry.take();
}

// ---- checks

data check_entry(const plan::CheckSpec& check, const Material& material, bool& holds) {
  Entry entry;
  entry.set("name", check.name);
  holds = false;
  for (const plan::TaskInput& input : check.inputs) {
    if (!material.missing[input.task]) continue;
    return entry.flag("open", true).set("message", material.spec(input.task).name + " has no result yet").take();
  }
  try {
    const engine::TaskInputs inputs(material.cache, check.inputs);
    const inline_tasks::Verdict verdict = inline_tasks::judge(check, inline_tasks::TaskResults(inputs));
    holds = verdict.holds;
    if (verdict.value) {
      entry.set("value", number_text(inline_tasks::to_value(*verdict.value)));
      entry.set("reference", number_text(inline_tasks::to_value(*verdict.reference)));
      entry.set("difference", number_text(inline_tasks::to_value(*verdict.difference)));
    }
    if (verdict.distance) entry.set("sigmas", fmt::format("{:.1f}", *verdict.distance));
    entry.set("criterion", verdict.criterion).set("source", verdict.source).set("message", verdict.message);
    entry.flag("holds", verdict.holds).flag("fails", !verdict.holds);
  } catch (const std::exception& error) {
    entry.flag("open", true).set("message", error.what());
  }
  return entry.take();
}

// ---- tables of the program

std::string cell_text(const Value& cell, const Value& column) {
  const Value* digits = column.find("digits");
  if (digits == nullptr || !digits->is_int() || !cell.is_map() || !cell.has("value")) return number_text(cell);
  std::optional<double> sigma;
  if (cell.has("sigma")) sigma = cell.at("sigma").as_double();
  return format_fixed(cell.at("value").as_double(), sigma, static_cast<int>(digits->as_int()));
}

std::string index_text(const Value& value) {
  if (value.is_string()) return value.as_string();
  return value.is_double() ? format_number(value.as_double()) : schema::to_json(value);
}

void fill_table(Entry& entry, const Value& table) {
  data head = list_of_data(), rows = list_of_data();
  for (const Value& index : table.at("indices").as_list()) head << Entry().set("text", index.as_string()).take();
  const List& columns = table.at("columns").as_list();
  for (const Value& column : columns) {
    const std::string unit = column.string_or("unit", "");
    head << Entry().set("text", column.at("name").as_string() + (unit.empty() ? "" : " (" + unit + ")")).take();
  }
  for (const Value& row : table.at("rows").as_list()) {
    data cells = list_of_data();
    for (const Value& index : table.at("indices").as_list()) {
      const Value* value = row.at("index").find(index.as_string());
      cells << Entry().set("text", value != nullptr ? index_text(*value) : "").take();
    }
    for (std::size_t i = 0; i < columns.size(); ++i)
      cells << Entry().set("text", cell_text(row.at("cells").as_list().at(i), columns[i])).take();
    rows << Entry().set("cells", std::move(cells)).take();
  }
  entry.set("head", std::move(head)).set("rows", std::move(rows));
}

data tables(const Material& material) {
  data all = list_of_data();
  for (const std::size_t task : material.request.tasks) {
    const plan::TaskSpec& spec = material.spec(task);
    if (spec.kind != "table") continue;
    Entry entry;
    entry.set("name", spec.name).set("doc", material.doc(spec)).flag("missing", material.missing[task]);
    entry.set("command", material.request.command_for(spec.name))
        .set("head", list_of_data())
        .set("rows", list_of_data());
    if (!material.missing[task]) fill_table(entry, *material.cache.row(spec.key));
    all << entry.take();
  }
  return all;
}

data figures(const Material& material) {
  data all = list_of_data();
  for (const std::size_t task : material.request.tasks) {
    const plan::TaskSpec& spec = material.spec(task);
    if (spec.kind != "figure") continue;
    Entry entry;
    if (!material.missing[task]) {
      data drawn = drawing(*material.cache.row(spec.key));
      for (const char* name : {"svg", "problem"}) {
        if (const data* part = drawn.get(name)) entry.set(name, *part);
      }
    }
    entry.set("name", spec.name).set("doc", material.doc(spec)).flag("missing", material.missing[task]);
    entry.set("command", material.request.command_for(spec.name));
    all << entry.take();
  }
  return all;
}

// ---- results of tasks

// Numbered in the order in which they are met.
class Conventions {
 public:
  std::string number(const std::string& text) {
    if (text.empty()) return "";
    const auto place = static_cast<std::size_t>(std::find(texts_.begin(), texts_.end(), text) - texts_.begin());
    if (place == texts_.size()) texts_.push_back(text);
    return std::to_string(place + 1);
  }
  data entries() const {
    data all = list_of_data();
    for (std::size_t i = 0; i < texts_.size(); ++i)
      all << Entry().set("number", std::to_string(i + 1)).set("text", texts_[i]).take();
    return all;
  }

 private:
  std::vector<std::string> texts_;
};

data missing_result(const Material& material, const plan::TaskSpec& spec) {
  Entry entry;
  entry.set("task", spec.name).flag("missing", true).set("command", material.request.command_for(spec.name));
  for (const char* name : {"result", "value", "unit", "samples", "calls", "time", "note", "key"}) entry.set(name, "");
  return entry.take();
}

void add_results(data& all, const plan::TaskSpec& spec, const store::Manifest& manifest, Conventions& conventions) {
  bool first = true;
  std::vector<artifacts::Result> results = manifest.results;
  if (results.empty()) results.push_back({"", std::nan(""), {}, "", {}, ""});
  for (const artifacts::Result& kept : results) {
    const artifacts::Result result = in_unit_of_program(kept, spec);
    Entry entry;
    entry.set("task", first ? spec.name : "")
        .set("result", result.name)
        .set("unit", result.unit)
        .set("note", conventions.number(result.convention));
    entry.set("value", result.name.empty() ? "" : format_result(result.value, result.sigma));
    entry.set("samples", result.n ? format_count(*result.n) : "");
    entry.set("calls", first ? format_count(manifest.cost.energy_call_equivalents()) : "");
    entry.set("time", first ? format_duration(manifest.cost.seconds) : "");
    entry.set("key", first ? spec.key.hex() : "").set("short_key", spec.key.short_hex()).flag("missing", false);
    all << entry.take();
    first = false;
  }
}

data results(const Material& material, Conventions& conventions) {
  data all = list_of_data();
  for (const std::size_t task : material.request.tasks) {
    const plan::TaskSpec& spec = material.spec(task);
    if (spec.placement != plan::Placement::child) continue;
    const auto manifest = material.manifests.find(task);
    if (manifest == material.manifests.end())
      all << missing_result(material, spec);
    else
      add_results(all, spec, manifest->second, conventions);
  }
  return all;
}

// ---- pictures of single tasks

List numbers(const artifacts::Array& array) {
  List list;
  for (const double value : array.doubles) list.emplace_back(value);
  for (const std::int64_t value : array.integers) list.emplace_back(static_cast<double>(value));
  return list;
}

Map history_figure(const artifacts::Artifact& artifact, const char* what, const char* label) {
  Map series{{"label", ""}, {"style", "line"}};
  series["x"] = numbers(artifact.array("history/step"));
  series["y"] = numbers(artifact.array(std::string("history/") + what));
  return {{"xlabel", "step"}, {"ylabel", label}, {"size", List{480, 300}}, {"series", List{series}}};
}

data training(const Material& material) {
  data all = list_of_data();
  for (const auto& [task, manifest] : material.manifests) {
    if (manifest.kind != "train") continue;
    const std::optional<artifacts::Artifact> loaded = load(material, manifest);
    if (!loaded) continue;
    const artifacts::Artifact& artifact = *loaded;
    data plots = list_of_data();
    for (const auto& [what, label] : {std::pair{"loss", "loss"}, std::pair{"ess", "effective sample fraction"}}) {
      if (artifact.arrays.count("history/step") == 0 || artifact.arrays.count(std::string("history/") + what) == 0)
        continue;
      plots << drawing(history_figure(artifact, what, label));
    }
    all << Entry().set("name", material.spec(task).name).set("plots", std::move(plots)).take();
  }
  return all;
}

Value histogram_figure(const std::string& title, const std::string& xlabel,
                       const std::vector<std::pair<std::string, const std::vector<double>*>>& sets) {
  std::vector<const std::vector<double>*> all;
  for (const auto& [label, values] : sets) all.push_back(values);
  const Range range = common_range(all);
  List series;
  for (const auto& [label, values] : sets) series.push_back(histogram_series(label, *values, range.low, range.high));
  Map figure{{"title", title}, {"xlabel", xlabel}, {"ylabel", "density"}, {"ymin", 0.0}, {"size", List{480, 300}}};
  figure["series"] = std::move(series);
  return figure;
}

data histograms(const Material& material) {
  data all = list_of_data();
  for (const auto& [task, manifest] : material.manifests) {
    const std::string& name = material.spec(task).name;
    if (manifest.kind != "estimate" && manifest.kind != "sample") continue;
    const std::optional<artifacts::Artifact> loaded = load(material, manifest);
    if (!loaded) continue;
    const artifacts::Artifact& artifact = *loaded;
    const auto array = [&](const char* which) -> const std::vector<double>* {
      const auto found = artifact.arrays.find(which);
      return found == artifact.arrays.end() || found->second.doubles.empty() ? nullptr : &found->second.doubles;
    };
    std::vector<std::pair<std::string, const std::vector<double>*>> sets;
    if (const auto* forward = array("work_forward")) sets.emplace_back("forward", forward);
    if (const auto* reverse = array("work_reverse")) sets.emplace_back("reverse", reverse);
    if (!sets.empty()) all << drawing(histogram_figure(name, "work (kT)", sets));
    if (const auto* weights = array("log_weight"))
      all << drawing(histogram_figure(name, "log weight", {{"", weights}}));
  }
  return all;
}

data overlap_rows(const artifacts::Array& matrix) {
  data rows = list_of_data();
  const auto size = static_cast<std::size_t>(matrix.shape.at(1));
  for (std::size_t begin = 0; begin + size <= matrix.doubles.size(); begin += size) {
    data cells = list_of_data();
    for (std::size_t i = begin; i < begin + size; ++i) {
      const double value = matrix.doubles[i];
      cells << Entry()
                   .set("text", fmt::format("{:.3f}", value))
                   .set("percent", fmt::format("{:.0f}", std::clamp(70 * value, 0.0, 70.0)))
                   .take();
    }
    rows << Entry().set("cells", std::move(cells)).take();
  }
  return rows;
}

data overlaps(const Material& material) {
  data all = list_of_data();
  for (const auto& [task, manifest] : material.manifests) {
    if (manifest.kind != "reference") continue;
    const std::optional<artifacts::Artifact> loaded = load(material, manifest);
    if (!loaded) continue;
    const artifacts::Artifact& artifact = *loaded;
    const auto matrix = artifact.arrays.find("overlap_matrix");
    if (matrix == artifact.arrays.end() || matrix->second.shape.size() != 2 || matrix->second.doubles.empty()) continue;
    all << Entry().set("name", material.spec(task).name).set("rows", overlap_rows(matrix->second)).take();
  }
  return all;
}

// ---- provenance

data fact(const std::string& name, const std::string& value) {
  return Entry().set("name", name).set("value", value).take();
}

data provenance_facts(const plan::TaskSpec& spec, const store::Manifest* manifest) {
  data facts = list_of_data();
  if (spec.arguments.has("seed")) facts << fact("seed", schema::to_json(spec.arguments.at("seed")));
  facts << fact("kind", fmt::format("{}, version {}", spec.kind, spec.version));
  if (manifest == nullptr) return facts;
  const store::Provenance& provenance = manifest->provenance;
  facts << fact("made by", "bgw " + provenance.bgw_version);
  for (const auto& [name, version] : provenance.libraries) facts << fact(name, index_text(version));
  facts << fact("on", fmt::format("{}, {} cpus", provenance.device, provenance.cpus));
  facts << fact("started", utc(provenance.started)) << fact("ended", utc(provenance.ended));
  const artifacts::Cost& cost = manifest->cost;
  facts << fact("cost", fmt::format("{} energies, {} gradients, {} Hessian-vector products, {}",
                                    format_count(cost.energy_calls), format_count(cost.gradient_calls),
                                    format_count(cost.hessian_calls), format_duration(cost.seconds)));
  for (const auto& [file, about] : manifest->files)
    facts << fact(file, fmt::format("{} bytes, SHA-256 {}", format_count(static_cast<long long>(about.bytes)),
                                    about.sha256.hex()));
  return facts;
}

data provenance(const Material& material) {
  data all = list_of_data();
  for (const std::size_t task : material.request.tasks) {
    const plan::TaskSpec& spec = material.spec(task);
    const auto manifest = material.manifests.find(task);
    data inputs = list_of_data();
    for (const plan::TaskInput& input : spec.inputs) {
      inputs << Entry()
                    .set("role", input.role)
                    .set("task", material.spec(input.task).name)
                    .set("key", input.key.hex())
                    .take();
    }
    Entry entry;
    entry.set("name", spec.name)
        .set("kind", spec.kind)
        .set("key", spec.key.hex())
        .set("short_key", spec.key.short_hex());
    entry.set("facts", provenance_facts(spec, manifest == material.manifests.end() ? nullptr : &manifest->second));
    entry.flag("has_inputs", !spec.inputs.empty())
        .set("inputs", std::move(inputs))
        .set("parameters", schema::to_pretty_json(spec.arguments));
    all << entry.take();
  }
  return all;
}

// ---- the whole

data overridden(const plan::Plan& plan) {
  data all = list_of_data();
  for (const auto& [name, change] : plan.overridden) {
    all << Entry()
               .set("name", name)
               .set("old", change.string_or("old", ""))
               .set("new", change.string_or("new", ""))
               .take();
  }
  return all;
}

data facts_of_page(const Material& material, std::size_t held) {
  std::size_t there = 0;
  artifacts::Cost cost;
  std::int64_t calls = 0;
  for (const std::size_t task : material.request.tasks) there += material.missing[task] ? 0 : 1;
  for (const auto& [task, manifest] : material.manifests) {
    calls += manifest.cost.energy_call_equivalents();
    cost.seconds += manifest.cost.seconds;
  }
  data facts = list_of_data();
  facts << fact("results", fmt::format("{} of {}", there, material.request.tasks.size()));
  if (!material.request.checks.empty())
    facts << fact("checks hold", fmt::format("{} of {}", held, material.request.checks.size()));
  facts << fact("energy calls", format_count(calls)) << fact("time of tasks", format_duration(cost.seconds));
  return facts;
}

void put_list(Entry& page, const std::string& name, data list) {
  page.flag("has_" + name, list.is_list() && !list.is_empty_list());
  page.set(name, std::move(list));
}

}  // namespace

std::string escape_html(const std::string& text) { return kainjow::mustache::html_escape(text); }

std::string make_page(const PageRequest& request, store::Cache& cache) {
  const Material material = gather(request, cache);
  Entry page;
  data checks = list_of_data();
  std::size_t held = 0;
  for (const std::size_t check : request.checks) {
    bool holds = false;
    checks << check_entry(request.plan.checks[check], material, holds);
    held += holds ? 1 : 0;
  }
  Conventions conventions;
  page.set("title", std::filesystem::path(request.plan.program).stem().string()).set("lead", material.lead);
  page.set("facts", facts_of_page(material, held));
  page.flag("has_missing", std::count(material.missing.begin(), material.missing.end(), true) > 0)
      .set("make_all", request.command_for(""));
  put_list(page, "overridden", overridden(request.plan));
  put_list(page, "checks", std::move(checks));
  put_list(page, "tables", tables(material));
  put_list(page, "figures", figures(material));
  put_list(page, "results", results(material, conventions));
  put_list(page, "conventions", conventions.entries());
  put_list(page, "training", training(material));
  put_list(page, "histograms", histograms(material));
  put_list(page, "overlaps", overlaps(material));
  data problems = list_of_data();
  for (const std::string& problem : material.problems) problems << Entry().set("text", problem).take();
  page.set("problems", std::move(problems));
  page.set("graph", request.tasks.empty() ? "" : draw_graph(request.plan, request.tasks, material.missing));
  put_list(page, "provenance", provenance(material));
  page.set("program", request.plan.program).set("program_sha", request.plan.program_sha256).set("version", BGW_VERSION);
  kainjow::mustache::mustache rendered(kPageTemplate);
  if (!rendered.is_valid()) throw std::logic_error("the template of the page is broken: " + rendered.error_message());
  return rendered.render(page.take());
}

}  // namespace bgw::report
