#pragma once

#include <vector>

#include "compiler/plan/plan.h"
#include "runtime/store/index.h"
#include "runtime/store/layout.h"

namespace bgw::upkeep {

/// What became of results that were to go.
struct Removal {
  std::vector<plan::Key> removed;
  std::vector<plan::Key> busy;  // somebody works on them: they stay
};

/// Takes results out of a cache, objects and rows, with the work directories that go with them. Of each the claim is held
/// meanwhile. An object is first renamed into trash/, then its rows go, at last its bytes: killed at any moment, there
/// is nothing left but what empty_trash() ends.
/// @throws StoreError; what was renamed by then lies in trash/
Removal remove_results(const store::Layout& layout, store::Index& index, const std::vector<plan::Key>& keys);

/// Ends removals that were killed: forgets the rows of what lies in trash/ and deletes its bytes.
void empty_trash(const store::Layout& layout, store::Index& index);

/// Removes the work directory of a task at which nobody works; false when somebody does.
bool remove_work(const std::filesystem::path& work);

}  // namespace bgw::upkeep
