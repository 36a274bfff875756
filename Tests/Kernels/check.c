#include "check.h"

#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

static const instruction_set all_sets[] = {{FT_PORTABLE, "portable"}, {FT_AVX2, "avx2"}, {FT_AVX_VNNI, "avx_vnni"},
                                           {FT_AVX512, "avx512"}, {FT_AMX, "amx"}, {FT_NEON, "neon"}, {FT_NEON_I8MM, "neon_i8mm"}};
enum { all_set_count = sizeof all_sets / sizeof all_sets[0] };
const instruction_set *sets[all_set_count];
int set_count;

static char context_text[256];
static uint64_t digest = 0xCBF29CE484222325u, comparisons;

// --- Memory ----------------------------------------------------------------------------------------------------------

static struct {
  void *start;
  size_t bytes;
} mappings[512];
static int mapping_count;

static _Noreturn void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fprintf(stderr, "%s: ", context_text);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  exit(1);
}

void *guarded(size_t bytes) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE), used = (bytes + page - 1) / page * page;
  if (bytes % 4 != 0) fail("guarded memory of %zu bytes, which is no multiple of 4", bytes);
  if (mapping_count == sizeof mappings / sizeof mappings[0]) fail("more than %d pieces of guarded memory", mapping_count);
  uint8_t *start = mmap(NULL, used + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED || mprotect(start + used, page, PROT_NONE) != 0) fail("no memory for %zu bytes", bytes);
  mappings[mapping_count].start = start;
  mappings[mapping_count++].bytes = used + page;
  memset(start, 0xA5, used);
  return start + used - bytes;
}

void release_all(void) {
  while (mapping_count > 0) {
    mapping_count--;
    munmap(mappings[mapping_count].start, mappings[mapping_count].bytes);
  }
}

// --- Numbers ---------------------------------------------------------------------------------------------------------

static uint64_t state = 1;

uint64_t random_word(void) {
  uint64_t z = state += 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return z ^ z >> 31;
}

float random_float(float low, float high) {
  return low + (high - low) * ((float)(random_word() >> 40) * 0x1p-24f);
}

void fill_floats(float *values, size_t count, float scale) {
  for (size_t i = 0; i < count; i++) {
    const float x = random_float(-1, 1);
    values[i] = x * x * x * scale;
  }
}

// --- Comparison ------------------------------------------------------------------------------------------------------

void context(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(context_text, sizeof context_text, format, arguments);
  va_end(arguments);
}

void compare(const instruction_set *set, const char *what, const void *results, size_t bytes) {
  static struct {
    const char *what;
    uint8_t *results;
    size_t bytes, room;
  } expected[32];
  const int most = sizeof expected / sizeof expected[0];
  const uint8_t *found = results;
  int place = 0;
  if (set->set == FT_PORTABLE) {
    while (place < most && expected[place].what && strcmp(expected[place].what, what) != 0) place++;
    if (place == most) fail("more than %d kinds of results", most);
    if (bytes > expected[place].room) {
      expected[place].results = realloc(expected[place].results, bytes);
      expected[place].room = bytes;
      if (!expected[place].results) fail("no memory for %zu bytes", bytes);
    }
    expected[place].what = what;
    expected[place].bytes = bytes;
    memcpy(expected[place].results, results, bytes);
    for (size_t i = 0; i < bytes; i++) digest = (digest ^ found[i]) * 0x100000001B3u;
    return;
  }
  while (place < most && !(expected[place].what && strcmp(expected[place].what, what) == 0)) place++;
  if (place == most || expected[place].bytes != bytes) fail("%s was not computed by portable C", what);
  comparisons++;
  for (size_t i = 0; i < bytes; i++) {
    if (found[i] == expected[place].results[i]) continue;
    uint32_t words[2] = {0, 0};
    const size_t word = i / 4 * 4, here = bytes - word < 4 ? bytes - word : 4;
    memcpy(&words[0], found + word, here);
    memcpy(&words[1], expected[place].results + word, here);
    fail("%s of %s differs at byte %zu of %zu: 0x%08x, expected 0x%08x", what, set->name, i, bytes, words[0], words[1]);
  }
}

void demand(bool condition, const instruction_set *set, const char *what) {
  if (!condition) fail("%s: %s", set->name, what);
  comparisons++;
}

// --- The program -----------------------------------------------------------------------------------------------------

int main(int count, char **arguments) {
  char names[128] = "";
  for (int i = 0; i < all_set_count; i++)
    if (ft_is_available(all_sets[i].set)) {
      sets[set_count++] = &all_sets[i];
      snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", *names ? "," : "", all_sets[i].name);
    }
  if (count == 2 && strcmp(arguments[1], names) != 0) {
    fprintf(stderr, "this machine has the instruction sets %s, expected %s\n", names, arguments[1]);
    return 1;
  }
  static const struct {
    const char *name;
    void (*check)(void);
  } parts[] = {{"products", check_products},
               {"packing", check_packing},
               {"attention", check_attention},
               {"rows", check_rows},
               {"sampling", check_sampling},
               {"recurrence", check_recurrence}};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    const uint64_t before = comparisons;
    state = i;
    parts[i].check();
    printf("%s: %s: %llu comparisons, all equal\n", names, parts[i].name, (unsigned long long)(comparisons - before));
    fflush(stdout);
  }
  // Of what portable C computed: the same number on every machine.
  printf("digest %016llx\n", (unsigned long long)digest);
  return 0;
}
