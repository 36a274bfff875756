// The one gate to a plugin's table of functions.

#ifndef FORETOKEN_PJRT_CALLS_H
#define FORETOKEN_PJRT_CALLS_H

#include "layout.h"

// Arguments of a type of layout.h, zeros but for their size.
#define FT_PJRT_NEW(TYPE, NAME) TYPE NAME = {.struct_size = TYPE##_size}

// Calls an entry, if the plugin's table reaches that far and has it.
ft_pjrt_error *ft_pjrt_call(const ft_pjrt_api *api, ft_pjrt_function function, void *arguments);

// Frees something; that it cannot be freed helps nobody to know.
void ft_pjrt_release(const ft_pjrt_api *api, ft_pjrt_function function, void *arguments);

#endif
