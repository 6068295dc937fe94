#pragma once

/// Whether a small network of every layer trains for a step.
bool network_works();
