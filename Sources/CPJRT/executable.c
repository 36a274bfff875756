// Programs.

#include "calls.h"

ft_pjrt_error *ft_pjrt_compile(const ft_pjrt_api *api, ft_pjrt_client *client, const char *code, size_t code_size,
                               const uint8_t *options, size_t options_size, ft_pjrt_loaded_executable **executable) {
  static const char format[] = "mlir";
  FT_PJRT_NEW(ft_pjrt_program, program);
  program.code = (char *)code;
  program.code_size = code_size;
  program.format = format;
  program.format_size = sizeof(format) - 1;
  FT_PJRT_NEW(ft_pjrt_client_compile, arguments);
  arguments.client = client;
  arguments.program = &program;
  arguments.options = (const char *)options;
  arguments.options_size = options_size;
  ft_pjrt_error *error = ft_pjrt_call(api, FT_PJRT_CLIENT_COMPILE, &arguments);
  *executable = arguments.executable;
  return error;
}

// The part of a loaded program that is independent of devices, to be freed.
static ft_pjrt_error *open_executable(const ft_pjrt_api *api, ft_pjrt_loaded_executable *loaded,
                                      ft_pjrt_executable **executable) {
  FT_PJRT_NEW(ft_pjrt_loaded_get_executable, arguments);
  arguments.loaded = loaded;
  ft_pjrt_error *error = ft_pjrt_call(api, FT_PJRT_LOADED_GET_EXECUTABLE, &arguments);
  *executable = arguments.executable;
  return error;
}

static void close_executable(const ft_pjrt_api *api, ft_pjrt_executable *executable) {
  FT_PJRT_NEW(ft_pjrt_executable_destroy, arguments);
  arguments.executable = executable;
  ft_pjrt_release(api, FT_PJRT_EXECUTABLE_DESTROY, &arguments);
}

ft_pjrt_error *ft_pjrt_count_results(const ft_pjrt_api *api, ft_pjrt_loaded_executable *executable, size_t *count) {
  FT_PJRT_NEW(ft_pjrt_executable_output_count, arguments);
  ft_pjrt_error *error = open_executable(api, executable, &arguments.executable);
  if (error != NULL) return error;
  error = ft_pjrt_call(api, FT_PJRT_EXECUTABLE_OUTPUT_COUNT, &arguments);
  *count = arguments.count;
  close_executable(api, arguments.executable);
  return error;
}

ft_pjrt_error *ft_pjrt_serialize(const ft_pjrt_api *api, ft_pjrt_loaded_executable *executable, ft_pjrt_bytes *bytes) {
  *bytes = (ft_pjrt_bytes){0};
  ft_pjrt_executable *unloaded;
  ft_pjrt_error *error = open_executable(api, executable, &unloaded);
  if (error != NULL) return error;
  FT_PJRT_NEW(ft_pjrt_executable_serialize, arguments);
  arguments.executable = unloaded;
  error = ft_pjrt_call(api, FT_PJRT_EXECUTABLE_SERIALIZE, &arguments);
  close_executable(api, unloaded);
  if (error != NULL) return error;
  *bytes = (ft_pjrt_bytes){arguments.bytes, arguments.size, arguments.owner, arguments.deleter};
  return NULL;
}

void ft_pjrt_free_bytes(ft_pjrt_bytes bytes) {
  if (bytes.deleter != NULL) bytes.deleter(bytes.owner);
}

ft_pjrt_error *ft_pjrt_deserialize(const ft_pjrt_api *api, ft_pjrt_client *client, const void *bytes, size_t size,
                                   ft_pjrt_loaded_executable **executable) {
  FT_PJRT_NEW(ft_pjrt_executable_deserialize, arguments);
  arguments.client = client;
  arguments.bytes = bytes;
  arguments.size = size;
  ft_pjrt_error *error = ft_pjrt_call(api, FT_PJRT_EXECUTABLE_DESERIALIZE, &arguments);
  *executable = arguments.executable;
  return error;
}

void ft_pjrt_free_executable(const ft_pjrt_api *api, ft_pjrt_loaded_executable *executable) {
  FT_PJRT_NEW(ft_pjrt_loaded_destroy, arguments);
  arguments.executable = executable;
  ft_pjrt_release(api, FT_PJRT_LOADED_DESTROY, &arguments);
}

ft_pjrt_error *ft_pjrt_run(const ft_pjrt_api *api, ft_pjrt_loaded_executable *executable, size_t device_count,
                           ft_pjrt_buffer *const *arguments, size_t argument_count, ft_pjrt_buffer **results,
                           size_t result_count, ft_pjrt_event **events) {
  ft_pjrt_buffer *const *argument_lists[device_count];
  ft_pjrt_buffer **result_lists[device_count];
  for (size_t device = 0; device < device_count; device++) {
    argument_lists[device] = arguments + device * argument_count;
    result_lists[device] = results + device * result_count;
  }
  FT_PJRT_NEW(ft_pjrt_execute_options, options);
  FT_PJRT_NEW(ft_pjrt_execute, call);
  call.executable = executable;
  call.options = &options;
  call.argument_lists = argument_lists;
  call.device_count = device_count;
  call.argument_count = argument_count;
  call.output_lists = result_lists;
  // Neuron's plugin wants to be asked for them always.
  call.complete_events = events;
  return ft_pjrt_call(api, FT_PJRT_LOADED_EXECUTE, &call);
}
