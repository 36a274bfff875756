#define _GNU_SOURCE
#include "fault_plugin.h"

#include <dlfcn.h>
#include <string.h>

enum { ENTRIES = 256, HEAD = 40 };
enum { ERROR_DESTROY = 0, ERROR_MESSAGE = 1 };

typedef void *function(void *arguments);

// The table that GetPjrtApi gives: sizes and versions, then functions.
static struct {
  size_t size;
  void *extensions;
  struct {
    size_t size;
    void *extensions;
    int major, minor;
  } version;
  function *entries[ENTRIES];
} table;

static function *behind[ENTRIES];
static int failing, first_call, calls;
// Stands for the errors made here.
static char injected;

static void *pass(int entry, void *arguments) {
  if (entry == failing && ++calls >= first_call) return &injected;
  return behind[entry](arguments);
}

#define PASSING(ENTRY) \
  static void *pass_##ENTRY(void *arguments) { return pass(ENTRY, arguments); }
PASSING(8) PASSING(10) PASSING(20) PASSING(22) PASSING(49) PASSING(55) PASSING(56) PASSING(70)

// The arguments of the functions about errors begin with the size, the extensions and the error.
typedef struct {
  size_t size;
  void *extensions, *error;
  const char *message;
  size_t message_size;
} error_arguments;

static void *error_destroy(void *arguments) {
  return ((error_arguments *)arguments)->error == &injected ? NULL : behind[ERROR_DESTROY](arguments);
}

static void *error_message(void *arguments) {
  static const char text[] = "injected: the device is gone";
  error_arguments *of = arguments;
  if (of->error != &injected) return behind[ERROR_MESSAGE](arguments);
  of->message = text;
  of->message_size = sizeof(text) - 1;
  return NULL;
}

static const char *path_behind;
static int reported_major, reported_entries;

void fault_plugin_stand_before(const char *path, int major, int entries) {
  path_behind = path;
  reported_major = major;
  reported_entries = entries;
  failing = -1;
}

void fault_plugin_fail(int function, int call) {
  failing = function;
  first_call = call;
  calls = 0;
}

const void *GetPjrtApi(void) {
  void *library = dlopen(path_behind, RTLD_NOW | RTLD_LOCAL);
  const void *(*get)(void) = library == NULL ? NULL : (const void *(*)(void))dlsym(library, "GetPjrtApi");
  if (get == NULL) return NULL;
  const void *found = get();
  size_t size = *(const size_t *)found;
  if (size > sizeof(table)) size = sizeof(table);
  memcpy(&table, found, size);
  table.size = size;
  memcpy(behind, table.entries, sizeof(behind));
#define PASS(ENTRY) table.entries[ENTRY] = pass_##ENTRY
  PASS(8), PASS(10), PASS(20), PASS(22), PASS(49), PASS(55), PASS(56), PASS(70);
  table.entries[ERROR_DESTROY] = error_destroy;
  table.entries[ERROR_MESSAGE] = error_message;
  if (reported_major >= 0) table.version.major = reported_major;
  if (reported_entries >= 0) table.size = HEAD + (size_t)reported_entries * sizeof(void *);
  return &table;
}
