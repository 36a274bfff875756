#include <editline/readline.h>

/// Leaves Ctrl-C to the program; else the library would put the terminal out of its editing mode and raise it again.
static inline void ft_editline_leave_signals(void) { rl_catch_signals = 0; }
