#include "runtime/store/views.h"

#include <fmt/format.h>

namespace bgw::store {
namespace {

std::string key(const std::string& column) { return fmt::format("lower(hex({}))", column); }

std::string text_time(const std::string& column) {
  return fmt::format("strftime('%Y-%m-%dT%H:%M:%fZ', {} / 1e6, 'unixepoch')", column);
}

// The name under which a key was planned last: the bare column goes with the max() beside it.
constexpr const char* kNames =
    "(SELECT key AS named, name AS last_name, max(run) FROM main.t_planned GROUP BY key)";

std::string select_results() {
  return fmt::format(
      "SELECT {}, t.kind, coalesce(o.name, p.last_name), r.name, r.value, r.sigma, r.unit, r.n, r.convention, o.published, {} "
      "FROM main.t_result r JOIN main.t_task t ON t.key = r.key LEFT JOIN main.t_object o ON o.key = r.key "
      "LEFT JOIN {} p ON p.named = r.key",
      key("r.key"), text_time("o.published"), kNames);
}

std::string select_tasks() {
  return fmt::format(
      "SELECT {0}, t.kind, t.kind_version, coalesce(o.name, p.last_name), "
      "CASE WHEN o.key IS NOT NULL THEN 'object' WHEN i.key IS NOT NULL THEN 'row' END, "
      "coalesce((SELECT sum(bytes) FROM main.t_artifact a WHERE a.key = t.key), length(i.value)), "
      "o.host, o.device, o.cpus, coalesce(o.seconds, i.seconds), o.bgw_version, coalesce(o.published, i.made), {1}, t.preimage "
      "FROM main.t_task t LEFT JOIN main.t_object o ON o.key = t.key LEFT JOIN main.t_inline_result i ON i.key = t.key "
      "LEFT JOIN {2} p ON p.named = t.key",
      key("t.key"), text_time("coalesce(o.published, i.made)"), kNames);
}

std::string select_inline_results() {
  return fmt::format(
      "SELECT {}, t.kind, p.last_name, i.value, i.run, i.seconds, i.made, {} FROM main.t_inline_result i "
      "JOIN main.t_task t ON t.key = i.key LEFT JOIN {} p ON p.named = i.key",
      key("i.key"), text_time("i.made"), kNames);
}

std::string select_runs() {
  return fmt::format(
      "SELECT id, program, program_sha, target, params, argv, started, {}, ended, {}, (ended - started) / 1e6, exit, "
      "bgw_version, host, pid FROM main.t_run",
      text_time("started"), text_time("ended"));
}

std::string select_attempts() {
  return fmt::format(
      "SELECT a.id, {}, t.kind, p.last_name, a.run, a.state, a.cause, a.message, a.exit, a.host, a.device, a.cpus, a.gpus, "
      "a.peak_memory, a.resumed_from, a.started, {}, a.ended, {}, a.seconds FROM main.t_attempt a "
      "JOIN main.t_task t ON t.key = a.key LEFT JOIN {} p ON p.named = a.key",
      key("a.key"), text_time("a.started"), text_time("a.ended"), kNames);
}

std::string select_planned() {
  return fmt::format("SELECT p.run, p.name, {}, t.kind, p.reason FROM main.t_planned p JOIN main.t_task t ON t.key = p.key", key("p.key"));
}

std::string select_inputs() { return fmt::format("SELECT {}, role, {} FROM main.t_task_in", key("key"), key("upstream")); }

std::string select_files() {
  return fmt::format("SELECT {}, file, bytes, {}, published, {} FROM main.t_artifact", key("key"), key("sha"), text_time("published"));
}

std::string select_pins() {
  return fmt::format("SELECT n.label, {}, t.kind, p.last_name, n.since, {} FROM main.t_pin n LEFT JOIN main.t_task t ON t.key = n.key "
                     "LEFT JOIN {} p ON p.named = n.key",
                     key("n.key"), text_time("n.since"), kNames);
}

std::vector<View> make_views() {
  const std::vector<std::string> result_columns{"key",   "kind", "task",       "name",    "value", "sigma",
                                                "unit",  "n",    "convention", "made_us", "made"};
  return {
      {"results", result_columns, select_results()},
      {"result", result_columns, select_results()},
      {"tasks",
       {"key", "kind", "version", "name", "kept_as", "bytes", "host", "device", "cpus", "seconds", "bgw_version", "made_us", "made",
        "preimage"},
       select_tasks()},
      {"inline_results", {"key", "kind", "task", "value", "run", "seconds", "made_us", "made"}, select_inline_results()},
      {"runs",
       {"run", "program", "program_sha256", "target", "params", "command", "started_us", "started", "ended_us", "ended", "seconds",
        "exit_code", "bgw_version", "host", "pid"},
       select_runs()},
      {"attempts",
       {"attempt", "key", "kind", "task", "run", "state", "cause", "message", "exit_code", "host", "device", "cpus", "gpus",
        "peak_memory", "resumed_from", "started_us", "started", "ended_us", "ended", "seconds"},
       select_attempts()},
      {"planned", {"run", "name", "key", "kind", "reason"}, select_planned()},
      {"inputs", {"key", "role", "input"}, select_inputs()},
      {"files", {"key", "file", "bytes", "sha256", "published_us", "published"}, select_files()},
      {"checks", {"run", "name", "kind", "holds", "detail"}, "SELECT run, name, kind, holds, detail FROM main.t_check"},
      {"pins", {"label", "key", "kind", "task", "since_us", "since"}, select_pins()},
  };
}

}  // namespace

const std::vector<View>& views() {
  static const std::vector<View> all = make_views();
  return all;
}

}  // namespace bgw::store
