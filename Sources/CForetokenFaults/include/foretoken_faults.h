// What becomes of a process that reads a mapped file whose end was cut off: a sentence and exit status 1.

#ifndef FORETOKEN_FAULTS_H
#define FORETOKEN_FAULTS_H

#include <stdbool.h>
#include <stddef.h>

/// From now on a fault (SIGBUS) in these bytes writes `sentence`, of which a copy is kept, to standard error and ends the
/// process with status 1. Every other SIGBUS goes where it went before. False when there is no memory for the entry.
bool ft_watch_mapping(const void *start, size_t size, const char *sentence);

/// Ends that for the mapping that begins at `start`; to be called before it is unmapped.
void ft_unwatch_mapping(const void *start);

#endif
