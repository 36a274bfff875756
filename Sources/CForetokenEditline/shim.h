#include <editline/readline.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <string.h>

/// Whether Ctrl-C ended the last line, and whether there was something on it.
static int ft_editline_interrupted = 0;
static int ft_editline_had_text = 0;

/// Takes Ctrl-C as a key: drops the line.
static int ft_editline_interrupt(int count, int key) {
  (void)count;
  (void)key;
  ft_editline_interrupted = 1;
  ft_editline_had_text = rl_line_buffer != 0 && rl_line_buffer[0] != 0;
  rl_done = 1;
  return 0;
}

/// Takes Ctrl-Z as a key: puts the program to sleep, and goes on with the line when it is woken.
static int ft_editline_suspend(int count, int key) {
  (void)count;
  (void)key;
  rl_deprep_terminal();
  raise(SIGTSTP);
  rl_prep_terminal(1);
  rl_forced_update_display();
  return 0;
}

/// The library sets the terminal up anew for every line; this comes after that.
///
/// Ctrl-D that is pressed while an answer comes is NUL afterwards, which would insert the next key as it is.
static int ft_editline_prepare_line(void) {
  char no_signals[] = "setty -d -isig";
  char no_quoting[] = "bind ^@ ed-ignore";
  rl_parse_and_bind(no_quoting);
  return rl_parse_and_bind(no_signals);
}

/// Prepares the library: letters are those of the user's locale, or of UTF-8 where that knows ASCII only, and Ctrl-C and
/// Ctrl-Z are keys while a line is edited; else the terminal would make signals of them and drop what was typed.
static inline void ft_editline_start(void) {
  setlocale(LC_CTYPE, "");
  if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0) setlocale(LC_CTYPE, "C.UTF-8");
  rl_catch_signals = 0;
  rl_initialize();
  rl_pre_input_hook = (void *)ft_editline_prepare_line;
  rl_add_defun("foretoken-interrupt", ft_editline_interrupt, 3);
  rl_add_defun("foretoken-suspend", ft_editline_suspend, 26);
}

/// Forgets the last Ctrl-C; says whether there was one: 1 on an empty line, 2 on a line with text.
static inline int ft_editline_take_interrupt(void) {
  int found = ft_editline_interrupted ? 1 + ft_editline_had_text : 0;
  ft_editline_interrupted = 0;
  return found;
}
