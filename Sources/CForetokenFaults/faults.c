#include "foretoken_faults.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Entries are never freed or changed, but for `is_live`: the handler may be reading the list on any thread at any time.
// A process opens few model files, and an entry takes some hundred bytes.
struct watch {
  struct watch *next;
  uintptr_t start;
  size_t size, length;
  atomic_bool is_live;
  char sentence[];
};

static struct watch *_Atomic watches;
static atomic_flag is_ending = ATOMIC_FLAG_INIT;
static struct sigaction previous;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void end_with(const struct watch *watch) {
  // Several threads may read the file: one speaks, and the others wait for the end.
  while (atomic_flag_test_and_set(&is_ending)) pause();
  for (size_t done = 0; done < watch->length;) {
    ssize_t count = write(STDERR_FILENO, watch->sentence + done, watch->length - done);
    if (count <= 0) break;
    done += (size_t)count;
  }
  _exit(EXIT_FAILURE);
}

// Only what is safe in a handler: atomic loads, write, sigaction, raise, _exit.
static void on_bus_error(int number, siginfo_t *info, void *context) {
  const bool is_fault = info->si_code > 0;
  if (is_fault) {
    const uintptr_t address = (uintptr_t)info->si_addr;
    for (struct watch *watch = atomic_load(&watches); watch; watch = watch->next)
      if (atomic_load(&watch->is_live) && address - watch->start < watch->size) end_with(watch);
  }
  if (previous.sa_flags & SA_SIGINFO) {
    previous.sa_sigaction(number, info, context);
  } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
    previous.sa_handler(number);
  } else if (is_fault || previous.sa_handler == SIG_DFL) {
    // Back to the system: the access faults again, and what was sent by a process is sent again.
    sigaction(number, &previous, NULL);
    if (!is_fault) raise(number);
  }
}

static void install(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, &previous);
}

bool ft_watch_mapping(const void *start, size_t size, const char *sentence) {
  const size_t length = strlen(sentence);
  struct watch *watch = malloc(sizeof *watch + length);
  if (!watch) return false;
  watch->start = (uintptr_t)start;
  watch->size = size;
  watch->length = length;
  atomic_init(&watch->is_live, true);
  memcpy(watch->sentence, sentence, length);
  watch->next = atomic_load(&watches);
  while (!atomic_compare_exchange_weak(&watches, &watch->next, watch)) {
  }
  pthread_once(&once, install);
  return true;
}

void ft_unwatch_mapping(const void *start) {
  for (struct watch *watch = atomic_load(&watches); watch; watch = watch->next)
    if (watch->start == (uintptr_t)start) atomic_store(&watch->is_live, false);
}
