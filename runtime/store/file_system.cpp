#include "runtime/store/file_system.h"

#include <sys/vfs.h>

#include <algorithm>
#include <array>

namespace bgw::store {
namespace {

struct Known {
  unsigned magic;
  const char* name;
  bool network;
};

// Magic numbers of statfs(2). A database in WAL mode needs memory shared between the processes that use it, which no
// network file system gives; FUSE may be one in disguise (sshfs).
constexpr std::array kKnown = {
    Known{0xef53, "ext4", false},      Known{0x58465342, "xfs", false},   Known{0x9123683e, "btrfs", false},
    Known{0x2fc12fc1, "zfs", false},   Known{0xf2f52010, "f2fs", false},  Known{0x794c7630, "overlayfs", false},
    Known{0x01021994, "tmpfs", false}, Known{0x6969, "nfs", true},        Known{0xff534d42, "cifs", true},
    Known{0xfe534d42, "smb2", true},   Known{0x0bd00bd0, "lustre", true}, Known{0x47504653, "gpfs", true},
    Known{0x19830326, "beegfs", true}, Known{0x00c36400, "ceph", true},   Known{0x01021997, "9p", true},
    Known{0x5346414f, "afs", true},    Known{0x65735546, "fuse", true}};

std::filesystem::path nearest_existing(std::filesystem::path path) {
  std::error_code error;
  path = std::filesystem::absolute(path, error).lexically_normal();
  while (!std::filesystem::exists(path, error) && path.has_parent_path() && path != path.parent_path()) path = path.parent_path();
  return path;
}

}  // namespace

FileSystem file_system_of(const std::filesystem::path& path) {
  struct statfs status{};
  if (::statfs(nearest_existing(path).c_str(), &status) != 0) return {"unknown", false, false, 0};
  FileSystem found{"unknown", false, false, static_cast<double>(status.f_bavail) * static_cast<double>(status.f_bsize)};
  const auto magic = static_cast<unsigned>(status.f_type);
  const auto known = std::find_if(kKnown.begin(), kKnown.end(), [&](const Known& each) { return each.magic == magic; });
  if (known == kKnown.end()) return found;
  found.name = known->name;
  found.network = known->network;
  found.in_memory = found.name == "tmpfs";
  return found;
}

}  // namespace bgw::store
