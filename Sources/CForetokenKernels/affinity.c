#if defined(__linux__)
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "kernels.h"

// Called by number: the C library's functions are for sets of 1,024 processors.

bool ft_bind_thread(const uint64_t *processors, size_t words) {
#if defined(__linux__)
  return syscall(SYS_sched_setaffinity, 0, words * sizeof *processors, processors) == 0;
#else
  (void)processors, (void)words;
  return false;
#endif
}

bool ft_thread_processors(uint64_t *processors, size_t words) {
#if defined(__linux__)
  return syscall(SYS_sched_getaffinity, 0, words * sizeof *processors, processors) > 0;
#else
  (void)processors, (void)words;
  return false;
#endif
}
