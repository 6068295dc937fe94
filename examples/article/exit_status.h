#pragma once

// What the program exits with, beside 0 and, for any other failure, 1.

namespace article {

constexpr int usage_status = 2;         // it was called in a way that it does not understand
constexpr int interrupted_status = 130; // as shells have it for a program that SIGINT ended

} // namespace article
