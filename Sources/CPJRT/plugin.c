// Plugins and their errors.

#include "calls.h"

static bool has(const ft_pjrt_api *api, ft_pjrt_function function) {
  size_t end = offsetof(ft_pjrt_api, functions) + ((size_t)function + 1) * sizeof(void *);
  return end <= api->struct_size && api->functions[function] != NULL;
}

ft_pjrt_error *ft_pjrt_call(const ft_pjrt_api *api, ft_pjrt_function function, void *arguments) {
  if (!has(api, function)) return ft_pjrt_missing();
  return ((ft_pjrt_error * (*)(void *)) api->functions[function])(arguments);
}

void ft_pjrt_release(const ft_pjrt_api *api, ft_pjrt_function function, void *arguments) {
  ft_pjrt_error *error = ft_pjrt_call(api, function, arguments);
  if (error != NULL) ft_pjrt_free_error(api, error);
}

const ft_pjrt_api *ft_pjrt_get_api(void *symbol) { return ((const ft_pjrt_api *(*)(void))symbol)(); }

int ft_pjrt_major(const ft_pjrt_api *api) { return api->version.major; }

int ft_pjrt_minor(const ft_pjrt_api *api) { return api->version.minor; }

ft_pjrt_error *ft_pjrt_initialize(const ft_pjrt_api *api) {
  FT_PJRT_NEW(ft_pjrt_plugin_initialize, arguments);
  return ft_pjrt_call(api, FT_PJRT_PLUGIN_INITIALIZE, &arguments);
}

ft_pjrt_error *ft_pjrt_missing(void) {
  static char missing;
  return (ft_pjrt_error *)&missing;
}

// The two functions that report errors return none themselves.
static void report(const ft_pjrt_api *api, ft_pjrt_function function, void *arguments) {
  if (has(api, function)) ((void (*)(void *))api->functions[function])(arguments);
}

ft_pjrt_text ft_pjrt_message(const ft_pjrt_api *api, const ft_pjrt_error *error) {
  FT_PJRT_NEW(ft_pjrt_error_message, arguments);
  arguments.error = error;
  report(api, FT_PJRT_ERROR_MESSAGE, &arguments);
  return (ft_pjrt_text){arguments.message, arguments.message_size};
}

void ft_pjrt_free_error(const ft_pjrt_api *api, ft_pjrt_error *error) {
  if (error == ft_pjrt_missing()) return;
  FT_PJRT_NEW(ft_pjrt_error_destroy, arguments);
  arguments.error = error;
  report(api, FT_PJRT_ERROR_DESTROY, &arguments);
}

bool ft_pjrt_get_attribute(const ft_pjrt_api *api, size_t index, ft_pjrt_attribute *attribute) {
  FT_PJRT_NEW(ft_pjrt_plugin_attributes, arguments);
  ft_pjrt_error *error = ft_pjrt_call(api, FT_PJRT_PLUGIN_ATTRIBUTES, &arguments);
  if (error != NULL) ft_pjrt_free_error(api, error);
  if (error != NULL || index >= arguments.count) return false;
  const ft_pjrt_named_value *value = &arguments.attributes[index];
  *attribute = (ft_pjrt_attribute){.name = {value->name, value->name_size}};
  switch (value->type) {
    case FT_PJRT_STRING: attribute->text = (ft_pjrt_text){value->value.string, value->value_size}; break;
    case FT_PJRT_INTEGER: attribute->number = value->value.integer; break;
    case FT_PJRT_BOOL: attribute->number = value->value.boolean; break;
    case FT_PJRT_INTEGERS: {
      // Versions, as 1.13.3: a number of at most three digits each.
      for (size_t i = 0; i < value->value_size; i++)
        attribute->number = attribute->number * 1000 + value->value.integers[i];
      break;
    }
    default: break;
  }
  return true;
}

ft_pjrt_error *ft_pjrt_await(const ft_pjrt_api *api, ft_pjrt_event *event) {
  FT_PJRT_NEW(ft_pjrt_event_arguments, arguments);
  arguments.event = event;
  return ft_pjrt_call(api, FT_PJRT_EVENT_AWAIT, &arguments);
}

void ft_pjrt_free_event(const ft_pjrt_api *api, ft_pjrt_event *event) {
  FT_PJRT_NEW(ft_pjrt_event_arguments, arguments);
  arguments.event = event;
  ft_pjrt_release(api, FT_PJRT_EVENT_DESTROY, &arguments);
}
