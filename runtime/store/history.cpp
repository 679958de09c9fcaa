#include "runtime/store/history.h"

#include <string_view>

#include "runtime/store/sqlite_database.h"

namespace bgw::store {
namespace {

// A result is made of the attempt that finished it and of those before that saved a state, back to the last time it was
// finished: the same key may have been run again. Where the first of these went on from something itself (finished work
// that it extends, the checkpoint of an attempt that was killed) part of the time is not known, and the task is left out.
constexpr const char* kEarlierWork = R"sql(
SELECT t_task.preimage, whole.seconds, whole.core_seconds,
       (SELECT coalesce(sum(bytes), 0) FROM t_artifact WHERE t_artifact.key = whole.key)
FROM (SELECT last.id AS id, last.key AS key, min(part.id) AS first, sum(part.seconds) AS seconds,
             sum(part.seconds * coalesce(part.cpus, 1)) AS core_seconds
      FROM (SELECT t_attempt.id AS id, t_attempt.key AS key,
                   coalesce((SELECT max(id) FROM t_attempt AS before WHERE before.key = t_attempt.key
                             AND before.state = 'done' AND before.id < t_attempt.id), 0) AS since
            FROM t_attempt JOIN t_task ON t_task.key = t_attempt.key
            WHERE t_task.kind = ?1 AND t_attempt.state = 'done' ORDER BY t_attempt.id DESC LIMIT ?2) AS last
      JOIN t_attempt AS part ON part.key = last.key AND part.id > last.since AND part.id <= last.id
                            AND part.state IN ('done', 'checkpointed')
      GROUP BY last.id) AS whole
JOIN t_attempt AS begun ON begun.id = whole.first AND begun.resumed_from IS NULL
JOIN t_task ON t_task.key = whole.key
ORDER BY whole.id DESC)sql";

constexpr const char* kOrigin = "SELECT device, bgw_version, published FROM t_object WHERE key = ?";

std::string_view bytes_of(const plan::Key& key) {
  return {reinterpret_cast<const char*>(key.bytes.data()), key.bytes.size()};
}

}  // namespace

History::History(const Layout& layout) : database_(std::make_unique<Database>(layout.database())) {}
History::~History() = default;
History::History(History&&) noexcept = default;
History& History::operator=(History&&) noexcept = default;

std::vector<EarlierWork> History::earlier_work(const std::string& kind, std::size_t most) {
  Statement query(*database_, kEarlierWork);
  query.bind(1, kind).bind(2, static_cast<std::int64_t>(most));
  std::vector<EarlierWork> found;
  while (query.step()) found.push_back({query.text(0), query.real(1), query.real(2), query.real(3)});
  return found;
}

std::vector<std::optional<Origin>> History::origins(const std::vector<plan::Key>& keys) {
  const ReadTransaction one_state(*database_);
  std::vector<std::optional<Origin>> found;
  for (const plan::Key& key : keys) {
    Statement query(*database_, kOrigin);
    query.bind_blob(1, bytes_of(key));
    found.push_back(query.step() ? std::optional(Origin{query.text(0), query.text(1), query.integer(2)}) : std::nullopt);
  }
  return found;
}

}  // namespace bgw::store
