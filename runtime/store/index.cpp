#include "runtime/store/index.h"

#include "runtime/store/clock.h"
#include "runtime/store/key_column.h"

namespace bgw::store {

std::vector<std::string> Index::complaints() {
  std::vector<std::string> complaints;
  try {
    Statement check(database_, "PRAGMA integrity_check(20)");
    while (check.step()) {
      if (check.text(0) != "ok") complaints.push_back(check.text(0));
    }
    Statement references(database_, "PRAGMA foreign_key_check");
    for (int most = 20; most > 0 && references.step(); --most) {
      complaints.push_back("a row of " + references.text(0) + " refers to none in " + references.text(2));
    }
  } catch (const UnusableDatabase& error) {  // so badly damaged that it cannot even be checked
    complaints.emplace_back(error.what());
  }
  return complaints;
}

std::vector<KnownResult> Index::results() {
  std::vector<KnownResult> results;
  const std::map<plan::Key, std::string> last_names = names();
  Statement objects(database_,
                    "SELECT t.key, t.kind, o.name, o.published, "
                    "(SELECT coalesce(sum(bytes), 0) FROM t_artifact a WHERE a.key = t.key) FROM t_task t "
                    "LEFT JOIN t_object o ON o.key = t.key WHERE o.key IS NOT NULL OR t.key IN (SELECT key FROM t_artifact) "
                    "OR t.key IN (SELECT key FROM t_result)");
  const auto name_of = [&](const plan::Key& key, const std::string& otherwise) {
    const auto found = last_names.find(key);
    return found == last_names.end() ? otherwise : found->second;
  };
  while (objects.step()) {
    const plan::Key key = key_from(objects.blob(0));
    results.push_back({key, false, name_of(key, objects.text(2)), objects.text(1), static_cast<std::uint64_t>(objects.integer(4)),
                       objects.integer(3)});
  }
  Statement rows(database_, "SELECT i.key, t.kind, length(i.value), i.made FROM t_inline_result i JOIN t_task t ON t.key = i.key");
  while (rows.step()) {
    const plan::Key key = key_from(rows.blob(0));
    results.push_back({key, true, name_of(key, ""), rows.text(1), static_cast<std::uint64_t>(rows.integer(2)), rows.integer(3)});
  }
  return results;
}

std::vector<std::pair<plan::Key, plan::Key>> Index::inputs() {
  std::vector<std::pair<plan::Key, plan::Key>> inputs;
  Statement query(database_, "SELECT key, upstream FROM t_task_in");
  while (query.step()) inputs.emplace_back(key_from(query.blob(0)), key_from(query.blob(1)));
  return inputs;
}

std::map<plan::Key, std::map<std::string, plan::Key>> Index::files() {
  std::map<plan::Key, std::map<std::string, plan::Key>> files;
  Statement query(database_, "SELECT key, file, sha FROM t_artifact");
  while (query.step()) files[key_from(query.blob(0))].emplace(query.text(1), key_from(query.blob(2)));
  return files;
}

std::map<plan::Key, std::string> Index::names() {
  std::map<plan::Key, std::string> names;
  Statement query(database_, "SELECT key, name, max(run) FROM t_planned GROUP BY key");  // the name of the row with the max
  while (query.step()) names[key_from(query.blob(0))] = query.text(1);
  return names;
}

std::vector<KnownRun> Index::runs() {
  std::vector<KnownRun> runs;
  Statement query(database_, "SELECT id, program, started, ended IS NOT NULL, host, boot, pid FROM t_run ORDER BY id DESC");
  while (query.step()) {
    runs.push_back({query.integer(0), query.text(1), query.integer(2), query.integer(3) != 0, query.text(4), query.text(5),
                    static_cast<int>(query.integer(6))});
  }
  return runs;
}

std::vector<plan::Key> Index::planned_by(std::int64_t run) {
  std::vector<plan::Key> keys;
  Statement query(database_, "SELECT DISTINCT key FROM t_planned WHERE run = ?");
  query.bind(1, run);
  while (query.step()) keys.push_back(key_from(query.blob(0)));
  return keys;
}

std::vector<Pin> Index::pins() {
  std::vector<Pin> pins;
  Statement query(database_, "SELECT label, key, since FROM t_pin ORDER BY label, key");
  while (query.step()) {
    if (pins.empty() || pins.back().label != query.text(0)) pins.push_back({query.text(0), query.integer(2), {}});
    pins.back().keys.push_back(key_from(query.blob(1)));
  }
  return pins;
}

void Index::pin(const std::string& label, const std::vector<plan::Key>& keys) {
  const std::int64_t now = now_in_microseconds();
  Transaction transaction(database_);
  Statement(database_, "DELETE FROM t_pin WHERE label = ?").bind(1, label).run();
  Statement insert(database_, "INSERT OR IGNORE INTO t_pin VALUES (?, ?, ?)");
  for (const plan::Key& key : keys) insert.bind(1, label).bind_blob(2, bytes_of(key)).bind(3, now).run();
  transaction.commit();
}

bool Index::unpin(const std::string& label) {
  Transaction transaction(database_);
  Statement(database_, "DELETE FROM t_pin WHERE label = ?").bind(1, label).run();
  const bool removed = database_.integer("SELECT changes()") > 0;
  transaction.commit();
  return removed;
}

void Index::put_attempt(const Manifest& manifest) {
  Statement known(database_, "SELECT 1 FROM t_attempt WHERE key = ? AND state = 'done'");
  known.bind_blob(1, bytes_of(manifest.key));
  if (known.step()) return;
  const Provenance& made = manifest.provenance;
  Statement(database_,
            "INSERT INTO t_attempt(key, state, exit, host, started, ended, seconds, cpus, device) VALUES (?, 'done', 0, ?, ?, ?, ?, ?, ?)")
      .bind_blob(1, bytes_of(manifest.key)).bind(2, made.host).bind(3, made.started).bind(4, made.ended)
      .bind(5, manifest.cost.seconds).bind(6, std::int64_t{made.cpus}).bind(7, made.device).run();
}

void Index::forget(const plan::Key& key) {
  forget_object(key);
  Statement(database_, "DELETE FROM t_inline_result WHERE key = ?").bind_blob(1, bytes_of(key)).run();
}

void Index::forget_object(const plan::Key& key) {
  for (const char* sql : {"DELETE FROM t_artifact WHERE key = ?", "DELETE FROM t_result WHERE key = ?", "DELETE FROM t_object WHERE key = ?"}) {
    Statement(database_, sql).bind_blob(1, bytes_of(key)).run();
  }
}

}  // namespace bgw::store
