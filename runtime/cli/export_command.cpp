#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "runtime/cli/commands.h"
#include "runtime/cli/failure.h"
#include "runtime/cli/json_output.h"
#include "runtime/cli/output_file.h"
#include "runtime/foundation/errors.h"
#include "runtime/report/number_format.h"
#include "runtime/store/cache.h"
#include "runtime/store/durable_file.h"
#include "runtime/trajectory/extxyz_writer.h"
#include "runtime/trajectory/h5md_writer.h"
#include "runtime/trajectory/sample_reader.h"

namespace bgw::cli {
namespace {

namespace fs = std::filesystem;
using schema::Map;
using schema::Value;

/// `ref.samples` and `ref` are the same configurations.
std::string without_samples(const std::string& name) {
  constexpr std::string_view kEnding = ".samples";
  return name.ends_with(kEnding) ? name.substr(0, name.size() - kEnding.size()) : name;
}

const plan::TaskSpec& find_task(const lowering::Program& program, const std::string& name) {
  const lowering::Found found = lowering::find_instances(program, without_samples(name));
  if (!found.problem.empty()) throw CommandFailure(kWrongProgram, found.problem);
  if (found.tasks.empty() || program.plan.tasks[found.tasks.front()].placement != plan::Placement::child)
    throw CommandFailure(kWrongProgram, fmt::format("`{}` makes no configurations; name a sample, reference, md or data block", name));
  if (found.tasks.size() > 1) {
    throw CommandFailure(kWrongProgram, fmt::format("`{}` names {} results, a file holds one: for instance {}", name, found.tasks.size(),
                                                    shell_word(program.plan.tasks[found.tasks.front()].name)));
  }
  return program.plan.tasks[found.tasks.front()];
}

/// The task behind {"task": role} of a task's arguments, or nullptr.
const plan::TaskSpec* input_at(const plan::Plan& plan, const plan::TaskSpec& spec, const Value& argument) {
  const Value* role = argument.find("task");
  if (role == nullptr || !role->is_string()) return nullptr;
  for (const plan::TaskInput& input : spec.inputs) {
    if (input.role == role->as_string()) return &plan.tasks[input.task];
  }
  return nullptr;
}

/// The resolved system that the configurations are of: that of the task, of the crystal a flow is carried to, or of what
/// is drawn from.
const Value* system_of(const plan::Plan& plan, const plan::TaskSpec& spec) {
  if (const Value* own = spec.arguments.find("system")) return own;
  const Value* model = spec.arguments.find("model");
  if (model == nullptr) return nullptr;
  if (const Value* to = model->find("to")) return to;
  const Value* trained = model->find("model");
  const plan::TaskSpec* upstream = input_at(plan, spec, trained == nullptr ? *model : *trained);
  return upstream == nullptr ? nullptr : system_of(plan, *upstream);
}

trajectory::Heading heading_of(const plan::Plan& plan, const plan::TaskSpec& spec) {
  trajectory::Heading heading;
  const Value* system = system_of(plan, spec);
  if (system != nullptr && system->is_map()) heading.species = system->string_or("species", "X");
  heading.reduced = spec.presentation.is_map() && spec.presentation.string_or("energy_unit", "") == "lj";
  return heading;
}

/// Shares of the frames that are written, from their log weights.
std::vector<double> normalised(const std::vector<double>& log_weights, std::int64_t every) {
  std::vector<double> weights;
  for (std::size_t i = 0; i < log_weights.size(); i += static_cast<std::size_t>(every)) weights.push_back(log_weights[i]);
  if (weights.empty()) return weights;
  const double largest = *std::max_element(weights.begin(), weights.end());
  if (std::isinf(largest)) throw CommandFailure(kTaskFailed, fmt::format("all of the {} frames that would be written weigh nothing: they are outside of the crystal; take a smaller --every", weights.size()));
  double sum = 0.0;
  for (double& weight : weights) sum += weight = std::exp(weight - largest);
  for (double& weight : weights) weight /= sum;
  return weights;
}

fs::path default_output(const std::string& name, const std::string& format) {
  std::string stem = without_samples(name);
  std::erase(stem, ']');
  std::erase(stem, ' ');
  for (char& c : stem) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' || static_cast<unsigned char>(c) >= 0x80;
    if (!plain) c = '-';
  }
  return stem + "." + format;
}

std::unique_ptr<trajectory::FrameWriter> make_writer(const std::string& format, const fs::path& file, const trajectory::Heading& heading,
                                                     const trajectory::Content& content) {
  if (format == "extxyz") return std::make_unique<trajectory::ExtxyzWriter>(file, heading);
  return std::make_unique<trajectory::H5mdWriter>(file, heading, content);
}

std::int64_t write_frames(trajectory::FrameWriter& writer, trajectory::SampleReader& samples, std::int64_t every) {
  const std::vector<double> weights = normalised(samples.log_weights(), every);
  std::int64_t written = 0;
  for (std::int64_t i = 0; i < samples.frames(); i += every, ++written) {
    trajectory::Frame frame = samples.frame(i);
    if (!weights.empty()) frame.weight = weights[static_cast<std::size_t>(written)];
    writer.write(frame);
  }
  writer.finish();
  return written;
}

bool stands(const fs::path& path) {
  std::error_code error;
  return fs::exists(fs::symlink_status(path, error));
}

/// A pipe or a terminal: it cannot be replaced, and is written as it stands.
bool is_stream(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  return fs::exists(status) && !fs::is_regular_file(status) && !fs::is_directory(status);
}

[[noreturn]] void refuse_replacing(const fs::path& path) {
  throw CommandFailure(kRefused, fmt::format("{} is there already: name another file with --output, or replace it with --force", path.string()));
}

trajectory::SampleReader open_samples(const ExportOptions& options, const plan::TaskSpec& spec, const store::Cache& cache) {
  if (!cache.manifest(spec.key)) {
    throw CommandFailure(kTaskFailed, fmt::format("{} has no result yet; `{}` makes it", spec.name, run_command(options, {spec.name})));
  }
  try {
    return trajectory::SampleReader(cache.layout().object(spec.key) / "result.h5");
  } catch (const InputError&) {
    throw CommandFailure(kWrongProgram, fmt::format("`{}` is a {} and makes no configurations; name a sample, reference, md or data block", options.name, spec.kind));
  }
}

struct Exported {
  fs::path file;
  std::int64_t frames = 0;
};

Exported export_to(const fs::path& file, const ExportOptions& options, const plan::Plan& plan, const plan::TaskSpec& spec, trajectory::SampleReader& samples) {
  const trajectory::Heading heading = heading_of(plan, spec);
  if (is_stream(file)) {
    if (options.format != "extxyz") throw CommandFailure(kWrongUse, fmt::format("{} is no file, and HDF5 needs one: name a file, or write --format extxyz", file.string()));
    return {file, write_frames(*make_writer(options.format, file, heading, samples.content()), samples, options.every)};
  }
  store::PendingFile pending(file);
  const std::int64_t frames = write_frames(*make_writer(options.format, pending.path(), heading, samples.content()), samples, options.every);
  if (!pending.publish(options.force)) refuse_replacing(file);
  return {file, frames};
}

void print_exported(const ExportOptions& options, const Exported& exported, const plan::TaskSpec& spec, const trajectory::Content& content) {
  std::error_code error;
  const bool stream = is_stream(exported.file);
  const std::uintmax_t bytes = stream ? 0 : fs::file_size(exported.file, error);
  if (options.json) {
    put_document(Map{{"name", spec.name},
                     {"key", spec.key.hex()},
                     {"format", options.format},
                     {"file", exported.file.string()},
                     {"frames", exported.frames},
                     {"atoms", content.atoms},
                     {"weighted", content.weights},
                     {"bytes", static_cast<std::int64_t>(error ? 0 : bytes)}});
  } else if (!stream) {
    fmt::print("{}: {} configurations of {} atoms{}, {}\n", exported.file.string(), report::format_count(exported.frames), content.atoms,
               content.weights ? " with weights" : "", options.format);
  }
}

}  // namespace

int export_samples(const ExportOptions& options) {
  const LoadedProgram loaded = load_program(options);
  const plan::Plan& plan = loaded.program.plan;
  const plan::TaskSpec& spec = find_task(loaded.program, options.name);
  const fs::path file = options.output.empty() ? default_output(options.name, options.format) : fs::path(options.output);
  refuse_sources(file, plan);
  if (fs::is_directory(file)) throw CommandFailure(kWrongUse, fmt::format("{} is a folder: name a file", file.string()));
  if (!options.force && stands(file) && !is_stream(file)) refuse_replacing(file);
  const store::Cache cache = store::Cache::look(cache_directory(options));
  trajectory::SampleReader samples = open_samples(options, spec, cache);
  if (options.weighted && !samples.content().weights)
    throw CommandFailure(kWrongProgram, fmt::format("the samples of `{}` carry no weights: leave --weighted out", options.name));
  print_exported(options, export_to(file, options, plan, spec, samples), spec, samples.content());
  return kDone;
}

}  // namespace bgw::cli
