#pragma once

// A training's state after an epoch, in one file of LibTorch's archive format.
//
// Random numbers need no place in it: every epoch's come from the seed and its number.

#include "record.h"
#include "trainer.h"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace article {

/// What has to be the same where a training goes on.
using Identity = std::map<std::string, std::string>;

/// Puts the file in the place of an older one, whole or not at all, and on the disk. Throws
/// std::system_error, which names the file.
void save_checkpoint(
    const std::filesystem::path& file,
    const Trainer& trainer,
    const Identity& identity,
    const std::vector<Epoch>& epochs);

/// Sets the trainer to the state and returns the epochs up to it. Throws std::runtime_error, naming
/// the file, if it cannot be read or its training was another one, and then says in what.
std::vector<Epoch> load_checkpoint(
    const std::filesystem::path& file, Trainer& trainer, const Identity& identity);

} // namespace article
