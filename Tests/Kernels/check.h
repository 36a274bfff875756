// What the checks of kernels share: memory that ends at a page that cannot be touched, numbers that look random, and
// comparison to the bit of what the instruction sets of this machine compute with what portable C does.
#pragma once
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "foretoken_kernels.h"

// The same numbers on every machine.
#pragma STDC FP_CONTRACT OFF

typedef struct {
  ft_instruction_set set;
  const char *name;
} instruction_set;
/// The sets of this machine, portable first.
extern const instruction_set *sets[];
extern int set_count;

/// Memory of `bytes`, a multiple of 4, all 0xA5; the byte after it is in a page that cannot be read or written.
void *guarded(size_t bytes);
/// Frees all guarded memory.
void release_all(void);

/// The next of a sequence of numbers that is the same on every machine.
uint64_t random_word(void);
/// Numbers in -scale ... scale, about half of them below a tenth of it.
void fill_floats(float *values, size_t count, float scale);
float random_float(float low, float high);

/// Says what is computed from here on; for messages.
void context(const char *format, ...) __attribute__((format(printf, 1, 2)));
/// Results of `set`: remembered for portable C, which comes first, and compared with those for the others. Ends the program
/// where they differ.
void compare(const instruction_set *set, const char *what, const void *results, size_t bytes);
/// A condition that every set must meet.
void demand(bool condition, const instruction_set *set, const char *what);

void check_products(void);
void check_packing(void);
void check_attention(void);
void check_rows(void);
void check_sampling(void);
void check_recurrence(void);
