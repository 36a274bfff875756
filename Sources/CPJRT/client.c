// Devices, and the buffers in their memory.

#include <string.h>

#include "calls.h"

ft_pjrt_error *ft_pjrt_open(const ft_pjrt_api *api, const char *option, int64_t value, ft_pjrt_client **client) {
  FT_PJRT_NEW(ft_pjrt_client_create, arguments);
  FT_PJRT_NEW(ft_pjrt_named_value, named);
  if (option != NULL) {
    named.name = option;
    named.name_size = strlen(option);
    named.type = FT_PJRT_INTEGER;
    named.value.integer = value;
    named.value_size = 1;
    arguments.options = &named;
    arguments.option_count = 1;
  }
  ft_pjrt_error *error = ft_pjrt_call(api, FT_PJRT_CLIENT_CREATE, &arguments);
  *client = arguments.client;
  return error;
}

void ft_pjrt_close(const ft_pjrt_api *api, ft_pjrt_client *client) {
  FT_PJRT_NEW(ft_pjrt_client_destroy, arguments);
  arguments.client = client;
  ft_pjrt_release(api, FT_PJRT_CLIENT_DESTROY, &arguments);
}

static ft_pjrt_error *client_text(const ft_pjrt_api *api, ft_pjrt_function function, ft_pjrt_client *client,
                                  ft_pjrt_text *text) {
  FT_PJRT_NEW(ft_pjrt_client_text, arguments);
  arguments.client = client;
  ft_pjrt_error *error = ft_pjrt_call(api, function, &arguments);
  *text = (ft_pjrt_text){arguments.text, arguments.size};
  return error;
}

ft_pjrt_error *ft_pjrt_platform(const ft_pjrt_api *api, ft_pjrt_client *client, ft_pjrt_text *name,
                                ft_pjrt_text *version) {
  ft_pjrt_error *error = client_text(api, FT_PJRT_CLIENT_PLATFORM_NAME, client, name);
  return error != NULL ? error : client_text(api, FT_PJRT_CLIENT_PLATFORM_VERSION, client, version);
}

ft_pjrt_error *ft_pjrt_devices(const ft_pjrt_api *api, ft_pjrt_client *client, ft_pjrt_device *const **devices,
                               size_t *count) {
  FT_PJRT_NEW(ft_pjrt_client_devices, arguments);
  arguments.client = client;
  ft_pjrt_error *error = ft_pjrt_call(api, FT_PJRT_CLIENT_ADDRESSABLE_DEVICES, &arguments);
  *devices = arguments.devices;
  *count = arguments.count;
  return error;
}

static ft_pjrt_error *description_text(const ft_pjrt_api *api, ft_pjrt_function function,
                                       ft_pjrt_device_description *description, ft_pjrt_text *text) {
  FT_PJRT_NEW(ft_pjrt_description_text, arguments);
  arguments.description = description;
  ft_pjrt_error *error = ft_pjrt_call(api, function, &arguments);
  *text = (ft_pjrt_text){arguments.text, arguments.size};
  return error;
}

// Not every plugin counts memory; those that do not say so by an error.
static void memory_facts(const ft_pjrt_api *api, ft_pjrt_device *device, ft_pjrt_device_facts *facts) {
  FT_PJRT_NEW(ft_pjrt_memory_stats, arguments);
  arguments.device = device;
  facts->bytes_limit = facts->bytes_in_use = -1;
  ft_pjrt_error *error = ft_pjrt_call(api, FT_PJRT_DEVICE_MEMORY_STATS, &arguments);
  if (error != NULL) {
    ft_pjrt_free_error(api, error);
    return;
  }
  facts->bytes_in_use = arguments.bytes_in_use;
  if (arguments.has_bytes_limit) facts->bytes_limit = arguments.bytes_limit;
}

ft_pjrt_error *ft_pjrt_describe(const ft_pjrt_api *api, ft_pjrt_device *device, ft_pjrt_device_facts *facts) {
  FT_PJRT_NEW(ft_pjrt_device_get_description, found);
  found.device = device;
  ft_pjrt_error *error = ft_pjrt_call(api, FT_PJRT_DEVICE_DESCRIPTION, &found);
  if (error != NULL) return error;
  FT_PJRT_NEW(ft_pjrt_description_id, id);
  id.description = found.description;
  error = ft_pjrt_call(api, FT_PJRT_DESCRIPTION_ID, &id);
  if (error != NULL) return error;
  facts->id = id.id;
  error = description_text(api, FT_PJRT_DESCRIPTION_KIND, found.description, &facts->kind);
  if (error != NULL) return error;
  memory_facts(api, device, facts);
  return description_text(api, FT_PJRT_DESCRIPTION_TEXT, found.description, &facts->text);
}

ft_pjrt_error *ft_pjrt_upload(const ft_pjrt_api *api, ft_pjrt_client *client, ft_pjrt_device *device,
                              const void *data, int type, const int64_t *extents, size_t extent_count,
                              const int64_t *byte_strides, size_t byte_stride_count, ft_pjrt_event **done,
                              ft_pjrt_buffer **buffer) {
  FT_PJRT_NEW(ft_pjrt_buffer_from_host, arguments);
  arguments.client = client;
  arguments.data = data;
  arguments.type = type;
  arguments.extents = extents;
  arguments.extent_count = extent_count;
  arguments.byte_strides = byte_stride_count > 0 ? byte_strides : NULL;
  arguments.byte_stride_count = byte_stride_count;
  arguments.semantics = FT_PJRT_DURING_CALL;
  arguments.device = device;
  ft_pjrt_error *error = ft_pjrt_call(api, FT_PJRT_CLIENT_BUFFER_FROM_HOST, &arguments);
  *done = arguments.done;
  *buffer = arguments.buffer;
  return error;
}

ft_pjrt_error *ft_pjrt_host_size(const ft_pjrt_api *api, ft_pjrt_buffer *buffer, size_t *size) {
  FT_PJRT_NEW(ft_pjrt_buffer_to_host, arguments);
  arguments.buffer = buffer;
  ft_pjrt_error *error = ft_pjrt_call(api, FT_PJRT_BUFFER_TO_HOST, &arguments);
  *size = arguments.size;
  return error;
}

ft_pjrt_error *ft_pjrt_download(const ft_pjrt_api *api, ft_pjrt_buffer *buffer, void *data, size_t size,
                                ft_pjrt_event **done) {
  FT_PJRT_NEW(ft_pjrt_buffer_to_host, arguments);
  arguments.buffer = buffer;
  arguments.data = data;
  arguments.size = size;
  ft_pjrt_error *error = ft_pjrt_call(api, FT_PJRT_BUFFER_TO_HOST, &arguments);
  *done = arguments.event;
  return error;
}

void ft_pjrt_free_buffer(const ft_pjrt_api *api, ft_pjrt_buffer *buffer) {
  FT_PJRT_NEW(ft_pjrt_buffer_destroy, arguments);
  arguments.buffer = buffer;
  ft_pjrt_release(api, FT_PJRT_BUFFER_DESTROY, &arguments);
}
