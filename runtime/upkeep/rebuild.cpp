#include "runtime/upkeep/rebuild.h"

#include <fmt/format.h>

#include <vector>

#include "runtime/store/clock.h"
#include "runtime/store/durable_file.h"
#include "runtime/store/index.h"
#include "runtime/store/object_store.h"
#include "runtime/store/records.h"

namespace bgw::upkeep {
namespace {

namespace fs = std::filesystem;

// Why the database cannot be used; "" when it can, or when there is none.
std::string fault_of(const fs::path& database) {
  if (!store::is_there(database)) return "";
  try {
    { const store::Records checks_and_migrates(database); }
    const std::vector<std::string> complaints = store::Index(database).complaints();
    return complaints.empty() ? "" : complaints.front();
  } catch (const store::UnusableDatabase& error) {
    return error.what();
  }
}

// The log of a database goes with it: beside a new one it would be taken for that one's.
fs::path move_aside(const fs::path& database) {
  const std::string aside = fmt::format("{}.damaged.{}", database.string(), store::random_token());
  for (const char* part : {"-wal", "-shm", "-journal", ""}) {
    if (store::is_there(database.string() + part)) fs::rename(database.string() + part, aside + part);
  }
  return aside;
}

void enter_all(const store::ObjectStore& objects, store::Records& records, store::Index& index, Rebuilt& rebuilt) {
  for (const plan::Key& key : objects.keys()) {
    if (const std::optional<store::Manifest> manifest = objects.find_manifest(key)) {
      records.put_object(*manifest);
      index.put_attempt(*manifest);
      ++rebuilt.objects;
    } else {
      ++rebuilt.damaged;
    }
  }
}

void forget_gone(const store::ObjectStore& objects, store::Index& index) {
  const std::vector<store::KnownResult> results = index.results();
  store::Transaction transaction(index.database());
  for (const store::KnownResult& result : results) {
    if (!result.is_row && !store::is_there(objects.layout().object(result.key))) index.forget_object(result.key);
  }
  transaction.commit();
}

}  // namespace

Rebuilt rebuild(const store::Layout& layout) {
  Rebuilt rebuilt;
  store::make_directories(layout.objects());
  store::make_directories(layout.work());
  rebuilt.cause = fault_of(layout.database());
  if (!rebuilt.cause.empty()) rebuilt.old_database = move_aside(layout.database());
  const store::ObjectStore objects(layout);
  store::Records records(layout.database());
  store::Index index(layout.database());
  enter_all(objects, records, index, rebuilt);
  forget_gone(objects, index);
  return rebuilt;
}

}  // namespace bgw::upkeep
